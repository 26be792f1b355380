import fc from 'fast-check'
import t from 'tap'
import { machineId, unitName } from '../../../src/base/ids.ts'
import { afterPlan, checkPlacements, checkPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { noNeeds } from '../../../src/core/scheduler/room.ts'
import type {
  Needs,
  SchedulerMachine,
  SchedulerRules,
  SchedulerUnit,
  Snapshot,
} from '../../../src/core/scheduler/types.ts'
import { whyUnit } from '../../../src/core/scheduler/why.ts'

const gib = 2 ** 30
const id = (n: number) => machineId(n.toString(16).padStart(32, '0'))
const free: SchedulerRules = {
  machineId: undefined,
  global: false,
  machineOf: [],
  conflicts: [],
  replaces: [],
  metadata: {},
  spread: [],
  prefer: [],
  strategy: 'spread',
  priority: 50,
}
const machine = (
  n: number,
  metadata = {},
  status: 'ready' | 'lost' = 'ready',
  drain: SchedulerMachine['drain'] = 'none',
): SchedulerMachine => ({
  id: id(n),
  metadata,
  status,
  drain,
  capacity: { memoryBytes: 4 * gib, nanoCpus: 2e9 },
})
const unit = (
  name: string,
  rules: Partial<SchedulerRules> = {},
  wanted = true,
  needs: Partial<Needs> = {},
): SchedulerUnit => ({
  name: unitName(name),
  wanted,
  rules: { ...free, ...rules },
  needs: { ...noNeeds, ...needs },
})
const three = [machine(1), machine(2), machine(3)]

/** Plans, checks, and gives `unit -> machine numbers` as they will be. */
function settle(snapshot: Snapshot): { where: Record<string, number[]>; after: Snapshot } {
  const { decisions } = plan(snapshot)
  t.same(checkPlan(snapshot, decisions), [], 'every prefix of the plan keeps the rules')
  const after = afterPlan(snapshot, decisions)
  t.same(checkPlacements(after), [], 'what it leaves keeps the rules')
  const where: Record<string, number[]> = {}
  for (const placement of after.placements) {
    const places = (where[placement.unit] ??= [])
    places.push(Number.parseInt(placement.machine, 16))
    places.sort((a, b) => a - b)
  }
  return { where, after }
}

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
    t.same(plan(after), { decisions: [], unplaced: new Map([['first.service', { conflict: 1 }]]) })
    t.end()
  },
)

t.test('memory and processors are given away once, and what is there stays', (t) => {
  const big = (name: string) => unit(name, {}, true, { memoryBytes: 3 * gib })
  const units = ['a', 'b', 'c', 'd'].map((name) => big(`${name}.service`))
  const first = settle({ machines: three, units, placements: [] })
  t.same(first.where, { 'a.service': [1], 'b.service': [2], 'c.service': [3] })
  const d = unitName('d.service')
  t.same(plan(first.after).unplaced.get(d), { memoryBytes: 3 })
  const [why] = whyUnit(first.after, big('d.service'))
  t.match(why?.text, 'it asks for 3072 MiB of memory; 1024 MiB are free')

  const small = {
    ...first.after,
    machines: three.map((one) => ({ ...one, capacity: { memoryBytes: gib, nanoCpus: 0 } })),
  }
  t.same(plan(small).decisions, [], 'a machine that has less now keeps what runs there')
  const more = [machine(1), machine(2), machine(3), machine(4)]
  t.same(settle({ ...first.after, machines: more }).where['d.service'], [4])

  const busy = unit('busy.service', {}, true, { nanoCpus: 1.5e9 })
  const other = unit('other.service', {}, true, { nanoCpus: 1e9 })
  const one = settle({ machines: [machine(1)], units: [busy, other], placements: [] })
  t.same(one.where, { 'busy.service': [1] })
  const [reason] = whyUnit(one.after, other)
  t.match(reason?.text, 'it asks for 1 processors; 0.5 are free')
  t.end()
})

t.test('a port of the host has one holder, but for another protocol or address', (t) => {
  const on = (name: string, port: string, ip = '') =>
    unit(name, {}, true, { ports: [{ port, ip }] })
  const units = [
    on('a.service', '80/tcp'),
    on('b.service', '80/tcp', '10.0.0.1'),
    on('c.service', '80/udp'),
    on('d.service', '81/tcp', '10.0.0.1'),
    on('e.service', '81/tcp', '10.0.0.2'),
    on('f.service', '81/tcp', '0.0.0.0'),
  ]
  const { where, after } = settle({ machines: [machine(1)], units, placements: [] })
  t.same(Object.keys(where).toSorted(), ['a.service', 'c.service', 'd.service', 'e.service'])
  const [why] = whyUnit(after, on('b.service', '80/tcp', '10.0.0.1'))
  t.match(why?.text, "port 80/tcp of the host is a.service's there")
  t.end()
})

/** In the order in which they are placed: by name. */
const instances = (count: number, rules: Partial<SchedulerRules>): SchedulerUnit[] =>
  Array.from({ length: count }, (_, at) => unit(`web@${at + 1}.service`, rules))

t.test('Spread: each zone gets its share, whatever else is on its machines', (t) => {
  const zones = [
    machine(1, { zone: 'a' }),
    machine(2, { zone: 'a' }),
    machine(3, { zone: 'b' }),
    machine(4),
  ]
  const others = ['m', 'n', 'o'].map((name) =>
    unit(`${name}.service`, { metadata: { zone: ['b'] } }),
  )
  const first = settle({ machines: zones, units: others, placements: [] })
  const units = [...others, ...instances(6, { spread: ['zone'] })]
  const { where, after } = settle({ ...first.after, units })
  const count = (n: number) =>
    Object.entries(where).filter(([name, [on]]) => name.startsWith('web@') && on === n).length
  t.same([count(1) + count(2), count(3), count(4)], [2, 2, 2], 'no zone is a zone too')
  const next = unit('web@7.service', { spread: ['zone'] })
  const [best] = whyUnit(after, next)
  t.match(best?.text, /^the first choice: 2 of its kind zone=a, 1 units$/)
  t.end()
})

t.test('Prefer: what weighs most wins, and a wish is no rule', (t) => {
  const prefer = [
    { key: 'disk', value: 'ssd', weight: 50 },
    { key: 'old', value: 'yes', weight: -60 },
  ]
  const machines = [
    machine(1),
    machine(2, { disk: 'ssd' }),
    machine(3, { disk: 'ssd', old: 'yes' }),
  ]
  const alone = unit('a.service', { prefer })
  t.same(settle({ machines, units: [alone], placements: [] }).where, { 'a.service': [2] })
  t.same(
    settle({ machines: [machine(3, { disk: 'ssd', old: 'yes' })], units: [alone], placements: [] })
      .where,
    {
      'a.service': [3],
    },
  )
  const why = whyUnit({ machines, units: [alone], placements: [] }, alone)
  t.same(
    why.map(({ text }) => text),
    [
      'the first choice: its wishes weigh 50, 0 units',
      'it may run here: its wishes weigh 0, 0 units',
      'it may run here: its wishes weigh -10, 0 units',
    ],
  )
  t.end()
})

t.test('Strategy=pack: the fullest that has room, so that others stay empty', (t) => {
  const packed = instances(5, { strategy: 'pack' }).map((one) => ({
    ...one,
    needs: { ...noNeeds, memoryBytes: 1.5 * gib },
  }))
  const { where } = settle({ machines: three, units: packed, placements: [] })
  t.same(Object.values(where).flat(), [1, 1, 2, 2, 3])
  t.end()
})

t.test('Priority: the higher is placed first, and drives away what yields to it', (t) => {
  const of = (name: string, priority: number, memory: number) =>
    unit(`${name}.service`, { priority }, true, { memoryBytes: memory * gib })
  const low = of('a-low', 20, 2)
  const mid = of('b-mid', 50, 2)
  const equal = of('c-equal', 85, 2)
  const high = of('z-high', 90, 3)
  const fresh = settle({ machines: [machine(1)], units: [low, mid, high], placements: [] })
  t.same(fresh.where, { 'z-high.service': [1] }, 'whatever their names')

  const two = [machine(1), machine(2)]
  const before = settle({ machines: two, units: [low, mid, equal], placements: [] })
  const onTwo = Object.entries(before.where).filter(([, [on]]) => on === 2)
  t.same(onTwo, [['b-mid.service', [2]]])
  const planned = plan({ ...before.after, units: [low, mid, equal, high] })
  t.match(planned.decisions, [
    { kind: 'unplace', unit: 'b-mid.service', reason: { kind: 'preempted', by: 'z-high.service' } },
    { kind: 'place', unit: 'z-high.service', machine: id(2) },
    { kind: 'unplace', unit: 'a-low.service', reason: { kind: 'preempted', by: 'b-mid.service' } },
    { kind: 'place', unit: 'b-mid.service', machine: id(1) },
  ])
  t.same([...planned.unplaced.keys()], ['a-low.service'], 'the least waits in the end')
  t.end()
})

t.test('Priority fights for room alone: rules, peers and global units stand', (t) => {
  const needs = { memoryBytes: 3 * gib }
  const everywhere = unit('all.service', { global: true, priority: 0 }, true, needs)
  const high = unit('high.service', { priority: 100 }, true, needs)
  const one = settle({ machines: [machine(1)], units: [everywhere], placements: [] })
  t.same(plan({ ...one.after, units: [everywhere, high] }).decisions, [])
  const peer = unit('peer.service', { priority: 0 }, true, needs)
  const follower = unit('high.service', { priority: 100, machineOf: ['peer.service'] }, true, needs)
  const two = settle({ machines: [machine(1)], units: [peer], placements: [] })
  t.same(plan({ ...two.after, units: [peer, follower] }).decisions, [])
  const near = unit('near.service', { priority: 91 }, true, needs)
  const third = settle({ machines: [machine(1)], units: [near], placements: [] })
  t.same(plan({ ...third.after, units: [near, high] }).decisions, [], 'only 9 higher')
  t.end()
})

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

t.test('a machine that is lost while it drains keeps nothing', (t) => {
  const placements = [1, 2].map((n) => ({ unit: unitName('a.service'), machine: id(n) }))
  const machines = [machine(1, {}, 'lost', 'replacing'), machine(2)]
  t.same(settle({ machines, units: [unit('a.service')], placements }).where, { 'a.service': [2] })
  t.end()
})

t.test('who replaces another has the room that it leaves', (t) => {
  const needs = { memoryBytes: 3 * gib, ports: [{ port: '80/tcp', ip: '' }] }
  const old = unit('old.service', {}, true, needs)
  const next = unit('new.service', { replaces: ['old.*'] }, true, needs)
  const first = settle({ machines: [machine(1)], units: [old], placements: [] })
  t.same(settle({ ...first.after, units: [old, next] }).where, { 'new.service': [1] })
  t.end()
})

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
  placed: fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 4 }))),
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
      const placements = placed.flatMap(([at, on]) => {
        const key = `${at} ${on}`
        if (seen.has(key)) return []
        seen.add(key)
        return [{ unit: unitName(names[at] as string), machine: id(on), runs: on % 2 === 0 }]
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
