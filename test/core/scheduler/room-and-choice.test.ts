/** What units reserve, who yields to whom, and which of the machines that may is chosen. */
import t from 'tap'
import { unitName } from '../../../src/base/ids.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { noNeeds } from '../../../src/core/scheduler/room.ts'
import type { SchedulerRules, SchedulerUnit } from '../../../src/core/scheduler/types.ts'
import { gib, id, machine, rebalance, settle, three, unit, whyUnit } from './fixture.ts'

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

t.test('who replaces another has the room that it leaves', (t) => {
  const needs = { memoryBytes: 3 * gib, ports: [{ port: '80/tcp', ip: '' }] }
  const old = unit('old.service', {}, true, needs)
  const next = unit('new.service', { replaces: ['old.*'] }, true, needs)
  const first = settle({ machines: [machine(1)], units: [old], placements: [] })
  t.same(settle({ ...first.after, units: [old, next] }).where, { 'new.service': [1] })
  t.end()
})

t.test('of many units on lost machines the dearest move first, as many as may', async (t) => {
  const units = [10, 90, 50, 70].map((priority) => unit(`p${priority}.service`, { priority }))
  const placements = units.map(({ name }) => ({ unit: name, machine: id(1) }))
  const snapshot = { machines: [machine(1, {}, 'lost'), machine(2)], units, placements }
  const moved = (movesMax?: number): string[] =>
    plan(movesMax === undefined ? snapshot : { ...snapshot, movesMax }).decisions.map(
      (decision) => decision.unit,
    )
  t.same(moved(), ['p90.service', 'p70.service', 'p50.service', 'p10.service'])
  t.same(moved(2), ['p90.service', 'p70.service'])
  t.same(moved(0), [])
  t.same(Object.fromEntries(plan({ ...snapshot, movesMax: 3 }).unplaced), {
    'p10.service': { braked: 1 },
  })
  const fresh = unit('new.service')
  const { decisions } = plan({ ...snapshot, units: [...units, fresh], movesMax: 0 })
  t.match(decisions, [{ kind: 'place', unit: 'new.service' }], 'what is new is not held up')
})

t.test('where it has failed of late is the last choice', async (t) => {
  const crashed = {
    ...unit('a.service', { spread: ['zone'] }),
    crashes: {
      hold: 'none' as const,
      failedOn: new Map([
        [id(1), 1],
        [id(2), 2],
      ]),
    },
  }
  const others = [unit('b.service'), unit('c.service')]
  const placements = others.map(({ name }) => ({ unit: name, machine: id(3) }))
  const snapshot = { machines: three, units: [crashed, ...others], placements }
  t.same(settle(snapshot).where['a.service'], [3], 'though there are fewer units elsewhere')
  t.match(
    whyUnit(snapshot, crashed).map(({ text }) => text),
    [/first choice: 0 of/, /may run here: it failed here once of late/, /failed here 2 times/],
  )
  for (const [hold, text] of [
    ['pause', /tried again after a pause/],
    ['parked', /it is parked/],
  ] as const) {
    const held = { ...crashed, crashes: { ...crashed.crashes, hold } }
    t.same(plan({ ...snapshot, units: [held, ...others] }).decisions, [])
    t.match(whyUnit(snapshot, held)[0]?.text, text)
    const placed = [...placements, { unit: held.name, machine: id(1) }]
    const runs = { ...snapshot, units: [held, ...others], placements: placed }
    t.same(plan(runs).decisions, [], 'what runs is left alone')
  }
})

t.test('nobody drives away whom its own peer follows', async (t) => {
  const units = [
    unit('base.service', { priority: 10 }, true, { memoryBytes: 3 * gib }),
    unit('middle.service', { machineOf: ['base.service'] }),
    unit('top.service', { machineOf: ['middle.service'] }, true, { memoryBytes: 2 * gib }),
  ]
  const placements = [{ unit: unitName('base.service'), machine: id(1) }]
  const { where } = settle({ machines: [machine(1)], units, placements })
  t.same(where, { 'base.service': [1], 'middle.service': [1] }, 'top waits')
})

t.test('a unit that is to move does, its replacement first, and drives nobody away', async (t) => {
  const units = [unit('a.service'), unit('b.service'), unit('c.service')]
  const placements = units.map(({ name }) => ({ unit: name, machine: id(1) }))
  const snapshot = { machines: three, units, placements }
  t.same(plan(snapshot).decisions, [], 'nothing moves by itself')
  const moves = rebalance(snapshot, 10)
  t.match(moves, [
    { unit: 'a.service', from: id(1), to: id(2), why: '0 units; where it is: 2 units' },
    { unit: 'b.service', from: id(1), to: id(3) },
  ])
  t.equal(rebalance(snapshot, 1).length, 1)
  const [first, ...others] = placements
  const asked = { ...snapshot, placements: [{ ...first!, moves: true }, ...others] }
  const begun = settle(asked)
  t.same(begun.where['a.service'], [1, 2], 'both, for now')
  const seen = (runs: boolean) => ({
    ...begun.after,
    placements: begun.after.placements.map((each) =>
      each.unit === 'a.service' && each.machine === id(2) ? { ...each, runs } : each,
    ),
  })
  t.same(plan(seen(false)).decisions, [])
  t.match(plan(seen(true)).decisions, [
    { kind: 'unplace', unit: 'a.service', machine: id(1), reason: { kind: 'moved' } },
  ])
  const alone = { ...asked, machines: [machine(1)] }
  t.same(plan(alone).decisions, [], 'where there is no other place it stays')
})

t.test(
  'what is better placed elsewhere: by wishes and kinds too, and not what may not',
  async (t) => {
    const machines = [machine(1), machine(2, { disk: 'ssd' }), machine(3, { zone: 'b' })]
    const units = [
      unit('fast.service', { prefer: [{ key: 'disk', value: 'ssd', weight: 50 }] }),
      unit('pinned.service', { machineId: id(1) }),
      unit('all.service', { global: true }),
      unit('base.service'),
      unit('follows.service', { machineOf: ['base.service'] }),
      unit('alone.service', { fencing: 'stop' }),
      unit('off.service', {}, false),
    ]
    const placements = units.map(({ name }) => ({ unit: name, machine: id(1) }))
    t.match(
      rebalance({ machines, units, placements }, 10).map(({ unit: name, to }) => [name, to]),
      [['fast.service', id(2)]],
    )
    const zones = [machine(1, { zone: 'a' }), machine(2, { zone: 'a' }), machine(3, { zone: 'b' })]
    const kind = [1, 2].map((n) => unit(`web@${n}.service`, { spread: ['zone'] }))
    const both = kind.map(({ name }, at) => ({ unit: name, machine: id(at + 1) }))
    t.match(
      rebalance({ machines: zones, units: kind, placements: both }, 10).map(({ to }) => to),
      [id(3)],
      'one of the two goes to the other zone',
    )
  },
)

t.test('who must be available in number does not yield one too many', async (t) => {
  const low = (n: number) =>
    unit(`web@${n}.service`, { priority: 10, minAvailable: 2 }, true, { memoryBytes: 2.5 * gib })
  const units = [low(1), low(2), low(3)]
  const placements = units.map(({ name }, at) => ({ unit: name, machine: id(at + 1) }))
  const big = (name: string) => unit(name, { priority: 90 }, true, { memoryBytes: 3 * gib })
  const one = settle({ machines: three, units: [...units, big('one.service')], placements })
  t.same(one.where['one.service'], [1])
  t.equal(Object.keys(one.where).length, 3, 'one of three yields')
  const two = [...units, big('one.service'), big('two.service')]
  const next = settle({ ...one.after, units: two })
  t.equal(next.where['two.service'], undefined, 'and then no more')
})

t.test(
  'of those that must stop before they move, so many stay that enough are there',
  async (t) => {
    const alone = (n: number) => unit(`db@${n}.service`, { fencing: 'stop', minAvailable: 2 })
    const units = [alone(1), alone(2), alone(3)]
    const fence = { isLeaving: false, isOver: false }
    const placements = units.map(({ name }) => ({ unit: name, machine: id(1), fence, runs: true }))
    const machines = [machine(1, {}, 'ready', 'replacing'), machine(2)]
    const { decisions } = plan({ machines, units, placements })
    t.match(decisions, [{ kind: 'release', unit: 'db@1.service' }])
    t.equal(decisions.length, 1, 'one at a time')
    const isStarting = [
      { unit: unitName('db@1.service'), machine: id(2), fence, runs: false },
      ...placements.slice(1),
    ]
    t.same(plan({ machines, units, placements: isStarting }).decisions, [], 'until it runs')
    const runs = [{ ...isStarting[0]!, runs: true }, ...placements.slice(1)]
    t.match(plan({ machines, units, placements: runs }).decisions, [
      { kind: 'release', unit: 'db@2.service' },
    ])
    const now = [machine(1, {}, 'ready', 'now'), machine(2)]
    t.equal(plan({ machines: now, units, placements }).decisions.length, 3, 'but for a deadline')
  },
)

t.test('units that follow each other in a ring are told so, each by its own way round', (t) => {
  const units = [
    unit('a.service', { machineOf: ['b.service'] }),
    unit('b.service', { machineOf: ['c.service'] }),
    unit('c.service', { machineOf: ['a.service'] }),
    unit('aside.service', { machineOf: ['a.service'] }),
  ]
  const snapshot = { machines: three, units, placements: [] }
  const why = (at: number): string | undefined =>
    whyUnit(snapshot, units[at] as SchedulerUnit)[0]?.text
  t.match(
    why(0),
    /in a ring, .*: a\.service follows b\.service follows c\.service follows a\.service$/,
  )
  t.match(why(1), /: b\.service follows c\.service follows a\.service follows b\.service$/)
  t.match(why(3), /MachineOf: a\.service is not placed/, 'it follows one in a ring, and is in none')
  t.end()
})

t.test('who packs and who spreads do not chase each other when people rebalance', (t) => {
  const packs = (name: string) => unit(name, { strategy: 'pack' }, true, { memoryBytes: gib })
  const units = [
    packs('a.service'),
    packs('b.service'),
    unit('c.service', {}, true, { memoryBytes: gib }),
  ]
  const at = (...places: readonly number[]) =>
    places.map((n, which) => ({ unit: units[which]!.name, machine: id(n) }))
  const movesOf = (...places: readonly number[]) =>
    rebalance({ machines: three, units, placements: at(...places) }, 10).map(
      ({ unit: name, to }) => `${name} ${Number.parseInt(to, 16)}`,
    )
  const alone = [units[0]!, units[2]!]
  const apart = alone.map(({ name }, which) => ({ unit: name, machine: id(which + 1) }))
  const snapshot = { machines: three, units: alone, placements: apart }
  t.same(rebalance(snapshot, 10), [], 'c is alone, and nobody comes after it')
  t.same(movesOf(1, 1, 1), ['c.service 2'])
  t.same(movesOf(1, 2, 3), ['a.service 2'], 'those that pack find each other')
  t.end()
})
