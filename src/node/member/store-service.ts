/** What a member answers to other machines about the store. */
import { JangadaError } from '../../base/errors.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { CallMethods } from '../wire/calls.ts'
import { knownOrUnknown } from './errors.ts'
import type { MemberStore } from './member-store.ts'
import {
  checkLease,
  checkLeaseList,
  checkPropose,
  checkRangeCall,
  checkWatch,
} from './wire-schemas.ts'

/** A member that is behind what the asker has seen waits this long, then declines. */
const catchUpMs = 500
const catchUpStepMs = 10
/** No election takes as long: a member that hears no leader for this long is cut off. */
const outOfTouchMs = 2000
const touchLookMs = 1000

/** `store` is undefined while this machine is no member. */
export function storeMethods(store: () => MemberStore | undefined, clock: Clock): CallMethods {
  const present = (): MemberStore => {
    const own = store()
    if (own === undefined) throw new JangadaError('JGD_UNREACHABLE', 'this machine is no member')
    return own
  }
  const caughtUp = async (own: MemberStore, revision: number): Promise<void> => {
    const deadlineMs = clock.monotonicMs() + catchUpMs
    while (own.member.store.revision < revision) {
      if (clock.monotonicMs() >= deadlineMs) {
        throw new JangadaError('JGD_UNREACHABLE', 'this member is behind; ask another')
      }
      await sleep(clock, catchUpStepMs)
    }
  }
  return {
    calls: new Map([
      [
        'store.propose',
        async (body: unknown): Promise<unknown> => {
          // Only the leader's own log: a member that forwarded again could go in a circle.
          const { result } = await knownOrUnknown(present().proposeHere(checkPropose(body)))
          return result
        },
      ],
      [
        'store.range',
        async (body: unknown): Promise<unknown> => {
          const call = checkRangeCall(body)
          const own = present()
          await caughtUp(own, call.atLeast)
          return own.range(call.request, call.consistency)
        },
      ],
      [
        'lease.keepAlive',
        async (body: unknown): Promise<unknown> => ({
          alive: await present().leaseKeepAlive(checkLease(body).id),
        }),
      ],
      ['lease.list', (body: unknown) => present().leaseList(checkLeaseList(body).after)],
      ['store.view', (): Promise<unknown> => present().view()],
    ]),
    feeds: new Map([
      [
        'store.watch',
        (body: unknown, _context: unknown, signal: AbortSignal): AsyncIterable<unknown> =>
          watchWhileInTouch(present(), caughtUp, clock, body, signal),
      ],
    ]),
  }
}

/**
 * A member that is cut off from its leader, or was removed, has no news and does not say so:
 * whoever watches through it would see nothing for ever. It is sent on to another member.
 */
async function* watchWhileInTouch(
  store: MemberStore,
  caughtUp: (store: MemberStore, revision: number) => Promise<void>,
  clock: Clock,
  body: unknown,
  signal: AbortSignal,
): AsyncGenerator {
  const request = checkWatch(body)
  // A watch may begin at the revision after the newest that the asker has seen.
  await caughtUp(store, request.fromRevision - 1)
  if (signal.aborted) return
  // Not `AbortSignal.any`: Node keeps a composed signal, and all that waits for it, until it aborts.
  const ended = new AbortController()
  const end = (): void => ended.abort()
  signal.addEventListener('abort', end, { once: true })
  let isOutOfTouch = false
  const look = (): void => {
    isOutOfTouch = store.member.staleForMs >= outOfTouchMs
    if (isOutOfTouch) end()
    else timer = clock.after(touchLookMs, look)
  }
  let timer = clock.after(touchLookMs, look)
  try {
    yield* store.watch(request, ended.signal)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', end)
  }
  if (isOutOfTouch) {
    throw new JangadaError('JGD_UNREACHABLE', 'this member hears no leader; ask another')
  }
}
