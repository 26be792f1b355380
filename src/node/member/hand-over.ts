/** Giving up the lead in good order: before a stop, and before the leader itself is replaced. */
import { type MemberId, noMember } from '../../base/ids.ts'
import type { RaftStatus } from '../../core/raft/types.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Member } from './member.ts'

/** Longer than a voter that takes it needs; then another is asked. */
const attemptMs = 400
/** All attempts together: whoever stops does not wait longer than this. */
export const handOverMs = 1500
const lookMs = 5
/** A change of the members that takes longer is not waited for. */
const changeMs = 500

/**
 * Whom to hand over to: of the voters that answer, the one that lacks least. Who was asked
 * already and did not take it comes last.
 */
export function successorOf(
  { id, config, progress }: Pick<RaftStatus, 'id' | 'config' | 'progress'>,
  asked: ReadonlySet<MemberId> = new Set(),
): MemberId | undefined {
  const able = progress.filter(
    (each) => each.id !== id && config.voters.includes(each.id) && each.recentlyActive,
  )
  return able.toSorted(
    (a, b) => Number(asked.has(a.id)) - Number(asked.has(b.id)) || b.match - a.match || a.id - b.id,
  )[0]?.id
}

export interface HandOverOptions {
  readonly member: Pick<Member, 'id' | 'leadership' | 'transferTo'> & {
    status(): Pick<RaftStatus, 'id' | 'config' | 'progress'>
  }
  readonly clock: Clock
  readonly log: Log
}

/**
 * Resolves with the member that leads now, or undefined when nobody took over within
 * `handOverMs`. Writes that come meanwhile are refused and tried again elsewhere.
 */
export async function handOver(options: HandOverOptions): Promise<MemberId | undefined> {
  const { member, clock, log } = options
  const endMs = clock.monotonicMs() + handOverMs
  const asked = new Set<MemberId>()
  await settled(options)
  while (clock.monotonicMs() < endMs) {
    if (member.leadership.role === 'leader') {
      const status = member.status()
      if (status.config.voters.every((id) => id === member.id)) return undefined
      const to = successorOf(status, asked)
      if (to === undefined) {
        // Who answers is counted anew every election timeout: a heartbeat later it is known again.
        await sleep(clock, lookMs)
        continue
      }
      asked.add(to)
      member.transferTo(to)
    }
    const next = await newLeader(options, Math.min(endMs, clock.monotonicMs() + attemptMs))
    if (next === undefined) continue
    log.info('the lead is handed over', { to: next })
    return next
  }
  log.warn('nobody took the lead over in time')
  return undefined
}

/**
 * In the middle of a change a candidate needs the votes of both sides, and steps back when it hears
 * of what it had not been told yet. Who has just been told needs a moment.
 */
async function settled({ member, clock }: HandOverOptions): Promise<void> {
  const untilMs = clock.monotonicMs() + changeMs
  const isChanging = (): boolean =>
    member.leadership.role === 'leader' && member.status().config.outgoing.length > 0
  if (!isChanging()) return
  while (isChanging() && clock.monotonicMs() < untilMs) await sleep(clock, lookMs)
  await sleep(clock, lookMs)
}

async function newLeader(
  { member, clock }: HandOverOptions,
  untilMs: number,
): Promise<MemberId | undefined> {
  for (;;) {
    const { role, leader } = member.leadership
    if (role !== 'leader' && leader !== noMember && leader !== member.id) return leader
    if (clock.monotonicMs() >= untilMs) return undefined
    await sleep(clock, lookMs)
  }
}
