/** A named volume is on one machine, and its units with it: nowhere else would it have its data. */
import t from 'tap'
import { unitName } from '../../../src/base/ids.ts'
import { checkPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { gib, id, machine, settle, three, unit, whyUnit } from './fixture.ts'

const using = (name: string, ...volumes: string[]) => unit(name, {}, true, { volumes })
const at = (name: string, n: number) => ({ name, machine: id(n) })

t.test('a unit goes where its volume is, and waits for that machine', (t) => {
  const db = using('db.service', 'data')
  const volumes = [at('data', 2)]
  t.same(settle({ machines: three, units: [db], placements: [], volumes }).where, {
    'db.service': [2],
  })
  const machines = [machine(1), machine(2, {}, 'lost'), machine(3)]
  const gone = { machines, units: [db], placements: [], volumes }
  t.same(plan(gone).unplaced.get(db.name), { volume: 2 })
  t.match(whyUnit(gone, db)[0]?.text, 'its volume data is on 00000000')
  const placements = [{ unit: db.name, machine: id(2) }]
  t.same(plan({ ...gone, placements }).decisions, [], 'and stays what it is there')
  t.same(
    settle({ ...gone, placements, volumes: [] }).where,
    { 'db.service': [1, 2] },
    'once it is given up, it is made anew, and is no more where it was once it runs',
  )
  t.same(
    settle({ machines: machines.slice(2), units: [db], placements: [], volumes }).where,
    {},
    'a machine that has left takes it along',
  )
  t.end()
})

t.test('two that share a volume are on one machine from the first plan on', (t) => {
  const units = [using('a.service', 'data'), using('b.service', 'data'), unit('c.service')]
  const { where } = settle({ machines: three, units, placements: [] })
  t.same(where['a.service'], where['b.service'])
  const apart = [
    { kind: 'place', unit: unitName('a.service'), machine: id(1) },
    { kind: 'place', unit: unitName('b.service'), machine: id(2) },
  ] as const
  const snapshot = { machines: three, units, placements: [] }
  t.same(
    checkPlan(snapshot, apart).map(({ rule, unit: name }) => `${rule} ${name}`),
    ['volume b.service'],
    'the checker sees it by itself',
  )
  t.same(checkPlan({ ...snapshot, volumes: [at('data', 3)] }, apart).length, 2)
  t.end()
})

t.test('nobody is driven from a machine that the volume is not on', (t) => {
  const needs = { memoryBytes: 3 * gib, volumes: ['data'] }
  const high = unit('high.service', { priority: 90 }, true, needs)
  const low = unit('low.service', { priority: 10 }, true, { memoryBytes: 3 * gib })
  const machines = [machine(1), machine(2, {}, 'lost')]
  const placements = [{ unit: low.name, machine: id(1) }]
  const volumes = [at('data', 2)]
  t.same(plan({ machines, units: [high, low], placements, volumes }).decisions, [])
  t.end()
})

t.test('a global unit has its volume on every machine', (t) => {
  const everywhere = unit('logs.service', { global: true }, true, { volumes: ['logs'] })
  const { where } = settle({
    machines: three,
    units: [everywhere],
    placements: [],
    volumes: [at('logs', 2)],
  })
  t.same(where, { 'logs.service': [1, 2, 3] })
  t.end()
})
