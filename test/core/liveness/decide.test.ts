import t from 'tap'
import { machineId } from '../../../src/base/ids.ts'
import { deadlines, replacementMs } from '../../../src/core/liveness/deadlines.ts'
import { decideLost, type MachineSilence } from '../../../src/core/liveness/decide.ts'

const id = (n: number) => machineId(n.toString(16).padStart(32, '0'))
const silence = (n: number, heardAtMs: number | undefined): MachineSilence => ({
  id: id(n),
  heardAtMs,
  silentUntilMs: 0,
})

t.test('the table of deadlines, for a rack and for thousands', (t) => {
  t.same(deadlines(3), { pulseMs: 250, fenceMs: 2000, lostMs: 1750 })
  t.same(deadlines(4000), { pulseMs: 1000, fenceMs: 8000, lostMs: 7000 })
  for (const machines of [0, 1, 3, 1000, 5000]) {
    const of = deadlines(machines)
    for (const grace of [0, 1000, 30_000]) {
      // The agent's clock runs 1 % slow, the leader's 1 % fast: the worst case promised.
      const killedAtMs = of.fenceMs * 1.01 + 750 + grace
      t.ok(replacementMs(of, grace) / 1.01 > killedAtMs, 'the old copy is dead before the new one')
    }
  }
  t.end()
})

t.test('a machine is lost L after it was last heard, not before', (t) => {
  const view = { tookOfficeMs: 0, deadlines: deadlines(3), machines: [silence(1, 10_000)] }
  const early = decideLost({ ...view, nowMs: 11_749 })
  t.same(early, { lost: [], braked: [], nextLookMs: 11_750 })
  t.same(decideLost({ ...view, nowMs: 11_750 }).lost, [id(1)])
  t.end()
})

t.test('a machine nobody has heard counts from the taking of office', (t) => {
  const view = { tookOfficeMs: 5000, deadlines: deadlines(3), machines: [silence(1, undefined)] }
  t.same(decideLost({ ...view, nowMs: 6000 }).lost, [])
  t.same(decideLost({ ...view, nowMs: 6750 }).lost, [id(1)])
  t.end()
})

t.test(
  'so does one whose last word here is older than the leader before would have let pass',
  (t) => {
    const view = { tookOfficeMs: 3_600_000, deadlines: deadlines(3), machines: [silence(1, 5000)] }
    t.same(decideLost({ ...view, nowMs: 3_600_100 }).lost, [], 'others have heard it since')
    t.same(decideLost({ ...view, nowMs: 3_601_750 }).lost, [id(1)])
    t.end()
  },
)

t.test('right after an election, many silent machines are held, two are not', (t) => {
  const many = [1, 2, 3, 4, 5].map((n) => silence(n, 8000))
  const view = { tookOfficeMs: 10_000, deadlines: deadlines(5), nowMs: 11_000 }
  const held = decideLost({ ...view, machines: many })
  t.same(held.lost, [])
  t.equal(held.braked.length, 5)
  t.equal(held.nextLookMs, 11_750)
  const two = decideLost({ ...view, machines: [...many.slice(0, 2), silence(6, 10_050)] })
  t.equal(two.lost.length, 2, 'a power cut of the leader and one more is not a storm')
  const later = decideLost({ ...view, nowMs: 11_750, machines: many })
  t.equal(later.lost.length, 5, 'the brake ends')
  t.end()
})

t.test('a leader that has just taken office listens for four pulses first', (t) => {
  const machines = [silence(1, 8000)]
  const view = { tookOfficeMs: 10_000, deadlines: deadlines(3), machines }
  t.same(decideLost({ ...view, nowMs: 10_999 }), { lost: [], braked: [], nextLookMs: 11_000 })
  t.same(decideLost({ ...view, nowMs: 11_000 }).lost, [id(1)])
  t.end()
})

t.test('a planned silence is kept to', (t) => {
  const machines = [{ ...silence(1, 0), silentUntilMs: 30_000 }]
  const view = { tookOfficeMs: 0, deadlines: deadlines(3), machines }
  t.same(decideLost({ ...view, nowMs: 29_999 }).lost, [])
  t.same(decideLost({ ...view, nowMs: 30_000 }).lost, [id(1)])
  t.end()
})
