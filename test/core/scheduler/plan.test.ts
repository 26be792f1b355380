/** fleet's rules, and what holds of any plan for any cluster. */
import fc from 'fast-check'
import t from 'tap'
import { machineId, unitName } from '../../../src/base/ids.ts'
import { afterPlan, checkPlacements, checkPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import type { SchedulerRules, Snapshot } from '../../../src/core/scheduler/types.ts'
import { gib, id, machine, settle, three, unit, whyUnit } from './fixture.ts'

t.test('the machine with the fewest units gets the next one, ties go by id', (t) => {
  const units = ['a', 'b', 'c', 'd'].map((name) => unit(`${name}.service`))
  const { where } = settle({ machines: three, units, placements: [] })
  t.same(where, { 'a.service': [1], 'b.service': [2], 'c.service': [3], 'd.service': [1] })
  t.end()
})

t.test('three pairs stay together, and a pair migrates together', (t) => {
  const units = [1, 2, 3].flatMap((n) => [
    unit(`app@${n}.service`),
    unit(`Side@${n}.service`, { machineOf: [`app@${n}.service`] }),
  ])
  const first = settle({ machines: three, units, placements: [] })
  for (const n of [1, 2, 3])
    t.same(first.where[`app@${n}.service`], first.where[`Side@${n}.service`])
  const machines = [machine(1), machine(2), machine(3, {}, 'lost')]
  const second = settle({ ...first.after, machines })
  for (const n of [1, 2, 3]) {
    t.same(second.where[`app@${n}.service`], second.where[`Side@${n}.service`])
    t.notSame(second.where[`app@${n}.service`], [3])
  }
  t.same(second.where['app@1.service'], first.where['app@1.service'], 'no other pair moves')
  t.end()
})

t.test('a chain of peers leaves with the last of it, however long', (t) => {
  const chain = Array.from({ length: 90 }, (_, at) => at)
  const nameOf = (at: number): string => `link-${String(at).padStart(2, '0')}.service`
  const units = chain.map((at) =>
    at === 89 ? unit(nameOf(at), {}, false) : unit(nameOf(at), { machineOf: [nameOf(at + 1)] }),
  )
  const placements = chain.map((at) => ({ unit: unitName(nameOf(at)), machine: id(1) }))
  t.same(settle({ machines: three, units, placements }).where, {})
  t.end()
})

t.test('five that shun each other on three machines: exactly three run', (t) => {
  const units = [1, 2, 3, 4, 5].map((n) => unit(`x@${n}.service`, { conflicts: ['x@*.service'] }))
  const snapshot = { machines: three, units, placements: [] }
  const { where } = settle(snapshot)
  t.same(
    Object.values(where)
      .flat()
      .toSorted((a, b) => a - b),
    [1, 2, 3],
  )
  t.same(plan(snapshot).unplaced.get(unitName('x@4.service')), { conflict: 3 })
  t.end()
})

t.test('a conflict holds from either side, and ends when the other is destroyed', (t) => {
  const shy = unit('shy.service', { conflicts: ['loud.*'] })
  const loud = unit('loud.service')
  const one = [machine(1)]
  const first = settle({ machines: one, units: [loud, shy], placements: [] })
  t.same(first.where, { 'loud.service': [1] })
  const reasons = whyUnit(first.after, shy)
  t.match(reasons[0]?.text, /loud.service is there \(its own pattern loud\.\*\)/)
  const second = settle({ ...first.after, units: [shy] })
  t.same(second.where, { 'shy.service': [1] })
  const third = settle({ ...second.after, units: [shy, loud] })
  t.same(third.where, { 'shy.service': [1] }, 'the other side has no pattern, and is refused too')
  t.end()
})

t.test('metadata: one of the values of every key', (t) => {
  const machines = [
    machine(1, { disk: 'hdd', zone: 'a' }),
    machine(2, { disk: 'ssd', zone: 'b' }),
    machine(3, { disk: 'nvme', zone: 'a' }),
  ]
  const fast = unit('fast.service', { metadata: { disk: ['ssd', 'nvme'], zone: ['a'] } })
  t.same(settle({ machines, units: [fast], placements: [] }).where, { 'fast.service': [3] })
  const none = unit('none.service', { metadata: { gpu: ['yes'] } })
  t.match(whyUnit({ machines, units: [none], placements: [] }, none)[0]?.text, /gpu=yes; it is not/)
  const changed = [machine(1, { disk: 'ssd', zone: 'a' }), machine(2), machine(3, { disk: 'hdd' })]
  const placed = settle({ machines, units: [fast], placements: [] }).after
  t.same(settle({ ...placed, machines: changed }).where, { 'fast.service': [1] }, 'labels moved it')
  t.end()
})

t.test(
  'a MachineID in the short form of fleet: machines whose ids begin so, and those alone',
  (t) => {
    const named = { ...machine(4), id: machineId('6d60378e'.padEnd(32, '0')) }
    const only = unit('only.service', { machineId: '6d60378e' })
    t.match(
      whyUnit({ machines: three, units: [only], placements: [] }, only)[0]?.text,
      'MachineID asks for 6d60378e, which is no machine of this cluster',
    )
    const { after } = settle({ machines: [...three, named], units: [only], placements: [] })
    t.match(after.placements, [{ unit: 'only.service', machine: named.id }])
    t.equal(whyUnit(after, only).at(-1)?.text, 'it is placed here')
    const gone = settle({ ...after, machines: [...three, { ...named, status: 'lost' }] })
    t.match(gone.after.placements, [{ machine: named.id }], 'it waits for its machine')
    const any = unit('any.service', { machineId: '00000000' })
    const conflicting = unit('none.service', { conflicts: ['any.service'] })
    const beside = { unit: conflicting.name, machine: id(1) }
    const units = [any, conflicting]
    t.same(
      settle({ machines: [named, machine(1), machine(2)], units, placements: [beside] }).where,
      { 'any.service': [2], 'none.service': [1] },
      'two that begin alike: either',
    )
    t.end()
  },
)

t.test('global: on every machine that may, and it stays on one that is lost for a while', (t) => {
  const units = [unit('agent.service', { global: true, conflicts: ['db.service'] })]
  const machines = [machine(1), machine(2), machine(3)]
  const first = settle({ machines, units, placements: [] })
  t.same(first.where['agent.service'], [1, 2, 3])
  const cut = { ...first.after, machines: [machine(1), machine(2, {}, 'lost'), machine(3)] }
  t.same(plan(cut).decisions, [], 'nothing is decided about a copy that nobody can reach')
  t.same(plan(first.after).decisions, [])
  t.end()
})

t.test('only machine M: it waits while M is lost and goes nowhere else', (t) => {
  const units = [unit('only.service', { machineId: id(2) })]
  const first = settle({ machines: three, units, placements: [] })
  t.same(first.where, { 'only.service': [2] })
  const machines = [machine(1), machine(2, {}, 'lost'), machine(3)]
  const lost = plan({ ...first.after, machines })
  t.same(lost.decisions, [], 'its place is kept for it')
  t.same(lost.unplaced.get(unitName('only.service')), { otherMachine: 2 })
  t.end()
})

t.test(
  'replaces: the victim moves elsewhere; two that replace each other live side by side',
  (t) => {
    const old = unit('old.service')
    const first = settle({ machines: [machine(1)], units: [old], placements: [] })
    const next = unit('new.service', { replaces: ['old.*'] })
    const machines = [machine(1), machine(2)]
    const pinned = unit('new.service', { replaces: ['old.*'], machineId: id(1) })
    t.same(settle({ ...first.after, machines, units: [old, pinned] }).where, {
      'new.service': [1],
      'old.service': [2],
    })
    t.same(settle({ ...first.after, units: [old, next] }).where, { 'new.service': [1] })
    const a = unit('a.service', { replaces: ['b.service'] })
    const b = unit('b.service', { replaces: ['a.service'] })
    const both = settle({ machines: [machine(1)], units: [a, b], placements: [] })
    t.same(both.where, { 'a.service': [1], 'b.service': [1] })
    t.end()
  },
)

t.test(
  'a global unit gets the room that the victim of a replacement leaves, in the same plan',
  (t) => {
    const units = [
      unit('first.service', { global: true, conflicts: ['second.service'] }),
      unit('second.service', { global: true }),
      unit('third.service', { replaces: ['first.service'] }),
    ]
    const { where, after } = settle({ machines: [machine(1)], units, placements: [] })
    t.same(where, { 'second.service': [1], 'third.service': [1] })
    const unplaced = new Map([['first.service', { conflict: 1 }]])
    t.same(plan(after), { decisions: [], unplaced, waitsForRoom: false })
    t.end()
  },
)

t.test('a unit that is not wanted, or unknown, is taken away', (t) => {
  const placements = [
    { unit: unitName('a.service'), machine: id(1) },
    { unit: unitName('ghost.service'), machine: id(2) },
    { unit: unitName('b.service'), machine: id(9) },
  ]
  const units = [unit('a.service', {}, false), unit('b.service')]
  t.same(settle({ machines: three, units, placements }).where, { 'b.service': [1] })
  t.end()
})

const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}.service`)
const rulesArbitrary = fc.record({
  machineId: fc.option(fc.integer({ min: 1, max: 4 }).map(id), { nil: undefined, freq: 6 }),
  global: fc.boolean(),
  machineOf: fc.subarray(names, { maxLength: 2 }),
  conflicts: fc.subarray(['a.*', 'b.service', '[cd].service', '?.service'], { maxLength: 1 }),
  replaces: fc.subarray(['a.service', 'e.*'], { maxLength: 1 }),
  metadata: fc.constantFrom<Record<string, string[]>>({}, {}, { k: ['x'] }, { k: ['x', 'y'] }),
  spread: fc.subarray(['k', 'none'], { maxLength: 2 }),
  prefer: fc.array(
    fc.record({
      key: fc.constant('k'),
      value: fc.constantFrom('x', 'y'),
      weight: fc.integer({ min: -100, max: 100 }),
    }),
    { maxLength: 2 },
  ),
  strategy: fc.constantFrom('spread', 'pack'),
  priority: fc.constantFrom(50, 50, 55, 90, 10),
  fencing: fc.constantFrom('keep', 'keep', 'stop'),
  fencingGraceMs: fc.constant(0),
  minAvailable: fc.constantFrom(0, 0, 1, 2),
})
const snapshotArbitrary = fc.record({
  machines: fc.array(
    fc.record({
      k: fc.constantFrom('x', 'y', 'z'),
      status: fc.constantFrom('ready', 'ready', 'lost'),
      drain: fc.constantFrom('none', 'none', 'none', 'replacing', 'now'),
    }),
    { maxLength: 4 },
  ),
  rules: fc.array(rulesArbitrary, { minLength: 6, maxLength: 6 }),
  wanted: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  needs: fc.array(
    fc.record({
      memoryBytes: fc.constantFrom(0, 0, gib, 2 * gib, 3 * gib, 5 * gib),
      nanoCpus: fc.constantFrom(0, 0, 1e9, 2e9),
      ports: fc.constantFrom(
        [],
        [],
        [{ port: '80/tcp', ip: '' }],
        [{ port: '80/tcp', ip: '10.0.0.1' }],
      ),
    }),
    { minLength: 6, maxLength: 6 },
  ),
  placed: fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.record({ isLeaving: fc.boolean(), isOver: fc.boolean() }),
    ),
  ),
})

t.test('any cluster: each prefix keeps the rules, and planning again changes nothing', (t) => {
  fc.assert(
    fc.property(snapshotArbitrary, ({ machines, rules, wanted, placed, needs }) => {
      const units = names.map((name, at) => {
        const own = rules[at] as SchedulerRules
        // What fleet refuses at submit never reaches the scheduler.
        const machineOf = own.global ? [] : own.machineOf.filter((peer) => peer !== name)
        const replaces = own.global || own.conflicts.length > 0 ? [] : own.replaces
        return unit(name, { ...own, machineOf, replaces }, wanted[at], needs[at])
      })
      const seen = new Set<string>()
      const placements = placed.flatMap(([at, on, fence]) => {
        const key = `${at} ${on}`
        if (seen.has(key)) return []
        seen.add(key)
        const known = {
          unit: unitName(names[at] as string),
          machine: id(on),
          runs: on % 2 === 0,
          moves: at % 3 === 0,
        }
        const { fencing, global } = rules[at] as SchedulerRules
        return [fencing === 'stop' && !global ? { ...known, fence } : known]
      })
      const snapshot: Snapshot = {
        machines: machines.map(({ k, status, drain }, at) =>
          machine(at + 1, { k }, status as 'ready', drain as 'none'),
        ),
        units,
        placements,
      }
      const { decisions } = plan(snapshot)
      const after = afterPlan(snapshot, decisions)
      return (
        checkPlan(snapshot, decisions).length === 0 &&
        checkPlacements(after).length === 0 &&
        plan(after).decisions.length === 0
      )
    }),
    { numRuns: 3000 },
  )
  t.end()
})
