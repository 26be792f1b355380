/** A range of the store, kept as local state: listed once, then watched, listed again on a gap. */
import { describeError } from '../../base/errors.ts'
import { revision } from '../../base/ids.ts'
import type { KeyValue, StoreEvent } from '../../core/store/types.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { StoreAccess } from '../member/store-access.ts'

export interface Follower {
  /** Everything there is; what was known before is void. */
  reset(items: readonly KeyValue[]): void
  /** Changes of one revision. */
  change(events: readonly StoreEvent[]): void
}

export interface FollowOptions {
  readonly store: Pick<StoreAccess, 'range' | 'watch'>
  readonly clock: Clock
  readonly log: Log
  readonly range: { readonly key: string; readonly rangeEnd: string }
  readonly follower: Follower
  readonly signal: AbortSignal
}

/** Between two tries; what was known stays in use meanwhile. */
const retryAfterMs = 1000
/** Keys asked for at a time; answers are bounded in bytes as well. */
const pageKeys = 1000

/** Runs until `signal` aborts. Never rejects. */
export async function follow(options: FollowOptions): Promise<void> {
  const { store, clock, log, range, follower, signal } = options
  while (!signal.aborted) {
    try {
      const listed = await listAll(store, range)
      if (signal.aborted) return
      follower.reset(listed.items)
      const fromRevision = revision(listed.revision + 1)
      for await (const batch of store.watch({ ...range, fromRevision }, signal)) {
        if (batch.events.length > 0) follower.change(batch.events)
      }
    } catch (error) {
      log.debug('lost sight of a range', { key: range.key, error: describeError(error) })
    }
    if (!signal.aborted) await sleep(clock, retryAfterMs, signal)
  }
}

/** All pages as of one revision, so that the watch continues exactly where the list ends. */
async function listAll(
  store: Pick<StoreAccess, 'range'>,
  range: FollowOptions['range'],
): Promise<{ items: readonly KeyValue[]; revision: number }> {
  const first = await store.range({ ...range, limit: pageKeys }, 'local')
  const items = [...first.items]
  let more = first.more
  while (more) {
    const last = items.at(-1)
    if (last === undefined) break
    const request = { ...range, key: `${last.key}\0`, limit: pageKeys, revision: first.revision }
    const page = await store.range(request, 'local')
    items.push(...page.items)
    more = page.more && page.items.length > 0
  }
  return { items, revision: first.revision }
}
