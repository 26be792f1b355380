/** `Fencing=stop`: nothing of a unit starts anywhere while a copy of it may run somewhere else. */
import t from 'tap'
import { unitName } from '../../../src/base/ids.ts'
import { checkPlan } from '../../../src/core/scheduler/check.ts'
import { describeCounts } from '../../../src/core/scheduler/describe.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import type { SchedulerMachine, SchedulerPlacement } from '../../../src/core/scheduler/types.ts'
import { id, machine, three, unit, whyUnit } from './fixture.ts'

const db = unit('db.service', { fencing: 'stop' })
const lost = machine(1, {}, 'lost')
const runs = { isLeaving: false, isOver: false }
const dead = { isLeaving: false, isOver: true }

const at = (n: number, fence: SchedulerPlacement['fence']): SchedulerPlacement => ({
  unit: db.name,
  machine: id(n),
  ...(fence === undefined ? {} : { fence }),
})
const planned = (
  machines: readonly SchedulerMachine[],
  placements: readonly SchedulerPlacement[],
  units = [db],
) => {
  const snapshot = { machines, units, placements }
  const { decisions, unplaced } = plan(snapshot)
  t.same(checkPlan(snapshot, decisions), [], 'the checker agrees')
  return {
    does: decisions.map(({ kind, machine: on }) => `${kind} ${Number.parseInt(on, 16)}`),
    waits: unplaced.get(db.name),
  }
}

t.test('its machine is lost: it waits until its fencer has surely stopped it, then moves', (t) => {
  const machines = [lost, machine(2), machine(3)]
  const { does, waits = {} } = planned(machines, [at(1, runs)])
  t.same(does, [])
  t.equal(describeCounts(waits), 'refused 1 by its old copy')
  const [first] = whyUnit({ machines, units: [db], placements: [at(1, runs)] }, db)
  t.match(first?.text, /waits until its old copy on 00000000 is surely dead/)
  t.same(planned(machines, [at(1, dead)]).does, ['move 2'])
  const keeps = unit('db.service')
  t.same(planned(machines, [at(1, undefined)], [keeps]).does, ['move 2'], 'others do not wait')
  t.end()
})

t.test('its machine comes back in time: it stays', (t) => {
  t.same(planned(three, [at(1, runs)]).does, [])
  t.end()
})

t.test(
  'its machine drains: it is stopped first, where another may take it, and starts then',
  (t) => {
    const drains = machine(1, {}, 'ready', 'replacing')
    const leaving = { isLeaving: true, isOver: false }
    const stopped = { isLeaving: true, isOver: true }
    t.same(planned([drains], [at(1, runs)]).does, [], 'nobody else can take it')
    const machines = [drains, machine(2)]
    t.same(planned(machines, [at(1, runs)]).does, ['release 1'])
    t.same(planned(machines, [at(1, leaving)]).does, [])
    t.same(planned(machines, [at(1, stopped)]).does, ['unplace 1', 'place 2'])
    t.end()
  },
)

t.test(
  'stopped by people, destroyed, or against a rule: not forgotten before it has stopped',
  (t) => {
    const unwanted = unit('db.service', { fencing: 'stop' }, false)
    t.same(planned(three, [at(1, runs)], [unwanted]).does, ['release 1'])
    t.same(planned(three, [at(1, runs)], []).does, ['release 1'], 'destroyed')
    t.same(planned([lost], [at(1, runs)], [unwanted]).does, [], 'nobody is there to be told')
    t.same(planned([lost], [at(1, dead)], [unwanted]).does, ['unplace 1'])
    t.same(planned([machine(2)], [at(1, runs)]).does, [], 'its machine is no machine any more')
    t.same(planned([machine(2)], [at(1, dead)]).does, ['unplace 1', 'place 2'])
    const elsewhere = unit('db.service', { fencing: 'stop', machineId: id(2) })
    t.same(planned(three, [at(1, runs)], [elsewhere]).does, ['release 1'])
    t.end()
  },
)

t.test('started again while it is still being stopped: it waits, on its own machine too', (t) => {
  const leaving = { isLeaving: true, isOver: false }
  t.same(planned([machine(1)], [at(1, leaving)]).does, [])
  t.same(planned([lost, machine(2)], [at(1, leaving)]).does, [])
  t.end()
})

t.test('a machine whose release has no fencer does not get it', (t) => {
  const old = { ...machine(1), cannotFence: true } as const
  t.same(planned([old, machine(2)], []).does, ['place 2'])
  const { does, waits = {} } = planned([old], [])
  t.same(does, [])
  t.equal(describeCounts(waits), 'refused 1 by Fencing')
  t.end()
})

t.test('the checker finds a second copy', (t) => {
  const snapshot = { machines: three, units: [db], placements: [at(1, runs)] }
  const place = { kind: 'place', unit: unitName('db.service'), machine: id(2) } as const
  t.match(checkPlan(snapshot, [place]), [{ rule: 'alone' }])
  const unplace = { kind: 'unplace', machine: id(1), reason: { kind: 'notWanted' } } as const
  t.match(checkPlan(snapshot, [{ ...unplace, unit: db.name }]), [{ rule: 'alone' }])
  t.end()
})
