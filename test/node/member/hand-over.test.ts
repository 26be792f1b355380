import t from 'tap'
import { type Index, type MemberId, memberId } from '../../../src/base/ids.ts'
import { configOfVoters } from '../../../src/core/raft/config.ts'
import type { ProgressStatus } from '../../../src/core/raft/types.ts'
import { handOver, handOverMs, successorOf } from '../../../src/node/member/hand-over.ts'
import type { Leadership } from '../../../src/node/member/member-options.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { sinkLog } from '../../sim/quiet.ts'

const follower = (id: number, match: number, recentlyActive = true): ProgressStatus => ({
  id: memberId(id),
  state: 'replicate',
  match: match as Index,
  next: (match + 1) as Index,
  learner: false,
  paused: false,
  recentlyActive,
  pendingSnapshot: 0 as Index,
  inflightMessages: 0,
  inflightBytes: 0,
  inflightFull: false,
})

const status = (...progress: readonly ProgressStatus[]) => ({
  id: memberId(1),
  config: configOfVoters(memberId(1), memberId(2), memberId(3)),
  progress: [follower(1, 100), ...progress],
})

t.test('the lead goes to the voter that answers and lacks least', (t) => {
  t.equal(successorOf(status(follower(2, 90), follower(3, 95))), memberId(3))
  t.equal(successorOf(status(follower(2, 95), follower(3, 95))), memberId(2), 'or to the older')
  t.equal(successorOf(status(follower(2, 90), follower(3, 100, false))), memberId(2))
  t.equal(successorOf(status(follower(2, 90), follower(4, 100))), memberId(2), 'no learner')
  t.equal(successorOf(status()), undefined, 'nobody else votes')
  const asked: ReadonlySet<MemberId> = new Set([memberId(3)])
  t.equal(successorOf(status(follower(2, 90), follower(3, 95)), asked), memberId(2), 'the next one')
  t.end()
})

/** A leader whose voters take the lead over when `takes` says so, 10 ms after they are asked. */
function leading(
  progress: () => readonly ProgressStatus[],
  takes: (id: MemberId) => boolean,
  outgoing: () => readonly MemberId[] = () => [],
) {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const clock = new SimulatedClock(time, random.fork())
  const asked: MemberId[] = []
  let leadership = { role: 'leader', leader: memberId(1) } as Leadership
  const member = {
    id: memberId(1),
    get leadership(): Leadership {
      return leadership
    },
    status: () => {
      const shown = status(...progress())
      return { ...shown, config: { ...shown.config, outgoing: outgoing() } }
    },
    transferTo: (to: MemberId) => {
      asked.push(to)
      if (!takes(to)) return
      clock.after(10, () => {
        leadership = { ...leadership, role: 'follower', leader: to }
      })
    },
  }
  const over = (): Promise<MemberId | undefined> =>
    time.runUntilSettled(handOver({ member, clock, log: sinkLog(() => undefined) }), 2 * handOverMs)
  return { over, asked, clock }
}

t.test('who does not take the lead is passed over for the next', async (t) => {
  const both = [follower(2, 95), follower(3, 90)]
  const { over, asked } = leading(
    () => both,
    (id) => id === 3,
  )
  t.equal(await over(), 3)
  t.same(asked, [2, 3])
})

t.test('a moment in which nobody is known to answer is waited out', async (t) => {
  const { over, clock } = leading(
    () => [follower(2, 95, clock.monotonicMs() > 40), follower(3, 90, false)],
    () => true,
  )
  t.equal(await over(), 2)
})

t.test('nobody there: a stop does not wait for ever', async (t) => {
  const { over, asked, clock } = leading(
    () => [follower(2, 95, false), follower(3, 90, false)],
    () => true,
  )
  const fromMs = clock.monotonicMs()
  t.equal(await over(), undefined)
  t.same(asked, [])
  t.ok(clock.monotonicMs() - fromMs < handOverMs + 100)
})

t.test('a change of the members is waited for, though not for ever', async (t) => {
  for (const [changesMs, atLeastMs, atMostMs] of [
    [0, 0, 20],
    [60, 60, 100],
    [60_000, 500, 600],
  ] as const) {
    const { over, clock } = leading(
      () => [follower(2, 95)],
      () => true,
      () => (clock.monotonicMs() - fromMs < changesMs ? [memberId(2)] : []),
    )
    const fromMs = clock.monotonicMs()
    t.equal(await over(), 2)
    const tookMs = clock.monotonicMs() - fromMs
    t.ok(tookMs >= atLeastMs && tookMs <= atMostMs, `${changesMs} ms of change: ${tookMs} ms`)
  }
})
