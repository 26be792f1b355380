/** Machines that are emptied. */
import t from 'tap'
import { unitName } from '../../../src/base/ids.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import type { Snapshot } from '../../../src/core/scheduler/types.ts'
import { id, machine, settle, unit, whyUnit } from './fixture.ts'

/** The placements with what agents have said by now. */
const running = (snapshot: Snapshot, isRunning: boolean): Snapshot => ({
  ...snapshot,
  placements: snapshot.placements.map((placement) => ({ ...placement, runs: isRunning })),
})

t.test('a machine that drains is emptied, the replacement first', (t) => {
  const units = [unit('a.service'), unit('b.service'), unit('all.service', { global: true })]
  const first = settle({ machines: [machine(1), machine(2)], units, placements: [] })
  t.same(first.where, { 'a.service': [1], 'b.service': [2], 'all.service': [1, 2] })
  const machines = [machine(1, {}, 'ready', 'replacing'), machine(2), machine(3)]
  const begun = settle({ ...first.after, machines })
  t.same(begun.where['a.service'], [1, 3], 'both, for now')
  t.same(begun.where['all.service'], [1, 2, 3], 'what is global stays')
  t.same(plan(running(begun.after, false)).decisions, [], 'until the new one runs')
  const done = settle(running(begun.after, true))
  t.same(done.where, { 'a.service': [3], 'b.service': [2], 'all.service': [1, 2, 3] })
  const late = settle({ ...done.after, units: [...units, unit('new.service')] })
  t.notSame(late.where['new.service'], [1], 'and nothing comes')
  t.match(
    whyUnit(late.after, unit('next.service')).map(({ text }) => text),
    ['the machine drains', /first choice/, /may run/],
  )
  t.end()
})

t.test('what has no other place stays on a machine that drains, until its time is up', (t) => {
  const pinned = unit('only.service', { machineId: id(1) })
  const machines = [machine(1), machine(2)]
  const first = settle({ machines, units: [pinned], placements: [] })
  const drains = [machine(1, {}, 'ready', 'replacing'), machine(2)]
  t.same(plan({ ...first.after, machines: drains }).decisions, [])
  const over = [machine(1, {}, 'ready', 'now'), machine(2)]
  t.same(settle({ ...first.after, machines: over }).where, {})
  const movable = unit('only.service')
  const moved = settle({ ...first.after, units: [movable], machines: over })
  t.same(moved.where, { 'only.service': [2] }, 'at once, since it is past the deadline')
  t.end()
})

t.test('a drain that is taken back keeps the copy that runs', (t) => {
  const placements = [1, 2].map((n) => ({
    unit: unitName('a.service'),
    machine: id(n),
    runs: n === 2,
  }))
  const snapshot = { machines: [machine(1), machine(2)], units: [unit('a.service')], placements }
  t.same(settle(snapshot).where, { 'a.service': [2] })
  t.end()
})

t.test('a machine that is lost keeps what it had until that runs elsewhere', (t) => {
  const units = [unit('a.service')]
  const machines = [machine(1, {}, 'lost', 'replacing'), machine(2)]
  const placements = (runs: boolean) =>
    [1, 2].map((n) => ({ unit: unitName('a.service'), machine: id(n), runs: n === 2 && runs }))
  t.same(settle({ machines, units, placements: placements(false) }).where, { 'a.service': [1, 2] })
  t.same(settle({ machines, units, placements: placements(true) }).where, { 'a.service': [2] })
  t.end()
})

t.test('where both of its machines drain, the copy that runs stays', (t) => {
  const placements = [1, 2].map((n) => ({
    unit: unitName('a.service'),
    machine: id(n),
    runs: n === 2,
  }))
  const drains = [machine(1, {}, 'ready', 'replacing'), machine(2, {}, 'ready', 'replacing')]
  const units = [unit('a.service')]
  t.same(settle({ machines: drains, units, placements }).where, { 'a.service': [2] })
  const third = settle({ machines: [...drains, machine(3)], units, placements })
  t.same(third.where, { 'a.service': [2, 3] }, 'until its replacement runs')
  const hurried = [machine(1, {}, 'ready', 'replacing'), machine(2, {}, 'ready', 'now')]
  const left = settle({ machines: hurried, units, placements })
  t.same(left.where, { 'a.service': [1] }, 'but where time is up, nothing stays')
  t.end()
})
