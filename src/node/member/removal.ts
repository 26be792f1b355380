/**
 * How a member learns that it is none any more. The leader stops sending to a member as soon as
 * the configuration no longer names it, so the member itself may never be told, least of all one
 * that was away when it was replaced. Its machine would read an old copy for ever.
 *
 * Hence a member that hears no leader asks the others. Its record is written before it enters
 * the configuration and deleted only after it has left, and its id is never given again: a
 * linearizable answer without the record says that it is removed, for good.
 */
import { describeError } from '../../base/errors.ts'
import { members } from '../../core/records/keyspace.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { MemberStore } from './member-store.ts'
import type { StoreAccess } from './store-access.ts'

const lookEveryMs = 500
/** Longer than an election takes: whoever hears no leader for so long has a reason to ask. */
const unheardMs = 2000
/**
 * A new member's record is on its way to it; but it may never have been written, or have been
 * deleted again before anything was sent. The longest office without a word is over by then.
 */
const untoldMs = 10_000

export interface RemovalOptions {
  readonly own: () => MemberStore | undefined
  /** The other members' copies. */
  readonly others: Pick<StoreAccess, 'range'>
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** The member is removed: its seat is to be given up. */
  readonly onRemoved: () => Promise<void>
}

/** Runs until `signal` aborts. Never rejects. */
export async function leaveWhenRemoved(options: RemovalOptions): Promise<void> {
  const { own, others, clock, log, signal, onRemoved } = options
  while (!signal.aborted) {
    await sleep(clock, lookEveryMs, signal)
    const store = own()
    if (signal.aborted || store === undefined || !mayBeRemoved(store)) continue
    try {
      const key = members.key(String(store.member.id))
      const { items } = await others.range({ key }, 'linearizable')
      if (items.length > 0 || own() !== store || signal.aborted) continue
      log.warn('this machine is a member no more: it was removed', { member: store.member.id })
      await onRemoved()
    } catch (error) {
      log.debug('nobody says whether this is still a member', { cause: describeError(error) })
    }
  }
}

function mayBeRemoved(store: MemberStore): boolean {
  const { member } = store
  const isTold = store.knownMembers().some(({ id }) => id === member.id)
  return member.staleForMs >= (isTold ? unheardMs : untoldMs)
}
