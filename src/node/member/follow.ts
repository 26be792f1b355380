/** A range of the store, kept as local state: listed once, then watched, listed again on a gap. */
import { describeError } from '../../base/errors.ts'
import { type Revision, revision } from '../../base/ids.ts'
import type { RecordKind, Stored } from '../../core/records/record.ts'
import type { KeyValue, StoreEvent } from '../../core/store/types.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Consistency, StoreAccess } from './store-access.ts'

export interface Follower {
  /** Everything there is as of `at`; what was known before is void. */
  reset(items: readonly KeyValue[], at: Revision): void
  /** Changes of one revision. */
  change(events: readonly StoreEvent[], at: Revision): void
}

export interface FollowOptions {
  readonly store: Pick<StoreAccess, 'range' | 'watch'>
  readonly clock: Clock
  readonly log: Log
  readonly range: { readonly key: string; readonly rangeEnd: string }
  readonly follower: Follower
  readonly signal: AbortSignal
  /** Of the list; the default is `local`. */
  readonly consistency?: Consistency
}

/** Between two tries; what was known stays in use meanwhile. */
const retryAfterMs = 200
/** Keys asked for at a time; answers are bounded in bytes as well. */
const pageKeys = 1000

/** Runs until `signal` aborts. Never rejects. */
export async function follow(options: FollowOptions): Promise<void> {
  const { store, clock, log, range, follower, signal } = options
  while (!signal.aborted) {
    try {
      const listed = await listAll(store, range, options.consistency ?? 'local')
      if (signal.aborted) return
      follower.reset(listed.items, listed.revision)
      const fromRevision = revision(listed.revision + 1)
      for await (const batch of store.watch({ ...range, fromRevision }, signal)) {
        if (batch.events.length > 0) follower.change(batch.events, batch.revision)
      }
    } catch (error) {
      log.debug('lost sight of a range', { key: range.key, cause: describeError(error) })
    }
    if (!signal.aborted) await sleep(clock, retryAfterMs, signal)
  }
}

/** All pages as of one revision, so that the watch continues exactly where the list ends. */
export async function listAll(
  store: Pick<StoreAccess, 'range'>,
  range: FollowOptions['range'],
  consistency: Consistency,
): Promise<{ items: readonly KeyValue[]; revision: Revision }> {
  const first = await store.range({ ...range, limit: pageKeys }, consistency)
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

/** All records of one kind, by key, as of `at`. */
export class RecordView<T, Parts extends readonly string[]> implements Follower {
  readonly kind: RecordKind<T, Parts>
  readonly items = new Map<string, Stored<T>>()
  /** Undefined until the first list is in. */
  at: Revision | undefined
  readonly #onChange: () => void

  constructor(kind: RecordKind<T, Parts>, onChange: () => void) {
    this.kind = kind
    this.#onChange = onChange
  }

  get values(): readonly T[] {
    return [...this.items.values()].map(({ value }) => value)
  }

  get(...parts: Parts): Stored<T> | undefined {
    return this.items.get(this.kind.key(...parts))
  }

  reset(items: readonly KeyValue[], at: Revision): void {
    this.items.clear()
    for (const item of items) this.#put(item)
    this.at = at
    this.#onChange()
  }

  change(events: readonly StoreEvent[], at: Revision): void {
    for (const event of events) {
      if (event.kind === 'put') this.#put(event.item)
      else this.items.delete(event.key)
    }
    this.at = at
    this.#onChange()
  }

  #put(item: KeyValue): void {
    const stored = this.kind.read(item)
    if (stored !== undefined) this.items.set(item.key, stored)
    else this.items.delete(item.key)
  }
}
