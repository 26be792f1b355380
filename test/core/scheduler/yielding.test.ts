/** Who yields to whom comes to an end, and what a new file asks for is asked of the machine where its unit is. */
import t from 'tap'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { noNeeds } from '../../../src/core/scheduler/room.ts'
import { Scheduler } from '../../../src/core/scheduler/scheduler.ts'
import { gib, id, machine, settle, three, unit } from './fixture.ts'

const big = { memoryBytes: 3 * gib }
const none = { hold: 'none', failedOn: new Map([[id(2), 1]]) } as const

t.test('nobody yields who has taken the place of one of higher priority', (t) => {
  const units = [
    unit('high.service', { priority: 90 }, true, big),
    unit('mid.service', { priority: 50 }, true, big),
    unit('low.service', { priority: 10, replaces: ['high.service'] }, true, big),
  ]
  const first = settle({ machines: [machine(1)], units, placements: [] })
  t.same(first.where, { 'low.service': [1] }, 'otherwise the three would chase each other')
  t.same(plan(first.after).decisions, [])
  t.end()
})

t.test('nobody yields who is followed by one of higher priority', (t) => {
  const two = { memoryBytes: 2 * gib }
  const peer = unit('peer.service', { priority: 10 }, true, two)
  const follower = unit('follower.service', { priority: 90, machineOf: [peer.name] }, true, two)
  const mid = unit('mid.service', { priority: 50 }, true, two)
  const placements = [peer, follower].map(({ name }) => ({ unit: name, machine: id(1) }))
  const snapshot = { machines: [machine(1)], units: [peer, follower, mid], placements }
  t.same(plan(snapshot).decisions, [])
  t.end()
})

t.test('nobody yields to a unit that has failed of late', (t) => {
  const low = unit('low.service', { priority: 10 }, true, big)
  const high = unit('high.service', { priority: 90 }, true, big)
  const at = (crashes: typeof none | undefined) => ({
    machines: [machine(1)],
    units: [low, crashes === undefined ? high : { ...high, crashes }],
    placements: [{ unit: low.name, machine: id(1) }],
  })
  t.same(settle(at(undefined)).where, { 'high.service': [1] })
  t.same(settle(at(none)).where, { 'low.service': [1] })
  t.end()
})

t.test('no machine is taken that could not stop a unit in time, room or not', (t) => {
  const old = { ...machine(1), cannotFence: true as const }
  const units = [
    unit('low.service', { priority: 45 }, true, big),
    unit('single.service', { fencing: 'stop' }, true, big),
  ]
  const placements = [{ unit: units[0]!.name, machine: id(2) }]
  t.same(settle({ machines: [old, machine(2)], units, placements }).where, { 'low.service': [2] })
  t.end()
})

const fenced = { isLeaving: false, isOver: false }
const draining = machine(1, {}, 'ready', 'replacing')

t.test('who stops before it moves drives nobody away until it has stopped', (t) => {
  const low = unit('low.service', { priority: 10 }, true, big)
  const high = unit('high.service', { priority: 90, fencing: 'stop' }, true, big)
  const placements = [
    { unit: low.name, machine: id(2) },
    { unit: high.name, machine: id(1), fence: fenced },
  ]
  const { decisions } = plan({ machines: [draining, machine(2)], units: [low, high], placements })
  t.same(
    decisions.map((each) => [each.kind, each.unit]),
    [['release', 'high.service']],
  )
  t.end()
})

t.test('who follows a unit that stops before it moves goes with it', (t) => {
  const db = unit('db.service', { fencing: 'stop' })
  const app = unit('app.service', { machineOf: ['db.service'] })
  const placements = [
    { unit: db.name, machine: id(1), fence: fenced },
    { unit: app.name, machine: id(1) },
  ]
  const { after } = settle({ machines: [draining, machine(2)], units: [db, app], placements })
  const over = after.placements.map((each) => ({
    ...each,
    fence: { isLeaving: true, isOver: true },
  }))
  t.same(settle({ ...after, placements: over }).where, { 'app.service': [2], 'db.service': [2] })
  t.end()
})

t.test('who of a kind runs is asked for while somebody looks for a place', (t) => {
  const scheduler = new Scheduler()
  const kind = [1, 2, 3].map((n) =>
    unit(`w@${n}.service`, { minAvailable: 2, priority: 10 }, true, big),
  )
  const placements = kind.map(({ name }, at) => ({ unit: name, machine: id(at + 1) }))
  scheduler.update({ machines: three, units: kind, placements })
  scheduler.plan({ runs: new Map(), movesMax: undefined })
  t.same(scheduler.asked(), [], 'nobody is asked at rest')
  scheduler.update({ units: [unit('high.service', { priority: 90 }, true, big)] })
  t.equal(scheduler.asked().length, 3)
  const runs = new Map(placements.map((each, at) => [`${each.machine}/${each.unit}`, at === 0]))
  const waits = { decisions: [], waitsForRoom: true }
  t.match(scheduler.plan({ runs, movesMax: undefined }), waits, 'too few run')
  const allRun = new Map([...runs.keys()].map((key) => [key, true]))
  const { decisions, waitsForRoom } = scheduler.plan({ runs: allRun, movesMax: undefined })
  t.same([decisions.length, waitsForRoom], [2, false], 'and then one makes room')
  t.end()
})

t.test('a unit that leaves does not count as one of its kind where it was', (t) => {
  const zones = [
    machine(1, { zone: 'a' }, 'ready', 'replacing'),
    machine(2, { zone: 'a' }),
    machine(3, { zone: 'b' }),
  ]
  const [one, other, x, y] = [
    unit('w@1.service', { spread: ['zone'] }),
    unit('w@2.service', { spread: ['zone'] }),
    unit('x.service'),
    unit('y.service'),
  ]
  const at = [1, 3, 2, 2]
  const units = [one, other, x, y]
  const placements = units.map(({ name }, n) => ({ unit: name, machine: id(at[n] as number) }))
  const { where } = settle({ machines: zones, units, placements })
  t.same(where['w@1.service'], [1, 2], 'its zone has none of them once it has left')
  t.end()
})

t.test(
  'under a new file a unit stays where it would be let in, and goes where it would not',
  (t) => {
    const neighbour = unit('neighbour.service', {}, true, { memoryBytes: gib })
    const placementsOf = (isRenewed: boolean) => [
      { unit: neighbour.name, machine: id(1) },
      { unit: unit('a.service').name, machine: id(1), ...(isRenewed && { renewedFrom: noNeeds }) },
    ]
    const at = (gibs: number, isRenewed: boolean) =>
      settle({
        machines: three,
        units: [neighbour, unit('a.service', {}, true, { memoryBytes: gibs * gib })],
        placements: placementsOf(isRenewed),
      }).where['a.service']
    t.same(at(3, true), [1], 'there is room for it')
    t.same(at(4, true), [2], 'there is not')
    t.same(at(100, true), undefined, 'nor anywhere')
    t.same(at(100, false), [1], 'what was there already stays, whatever has become of the room')
    t.end()
  },
)

t.test('under a new file a unit goes where its volume is, and makes no second one', (t) => {
  const uses = (name: string) => unit(name, {}, true, { volumes: ['data'] })
  const units = [uses('db.service'), uses('other.service'), uses('third.service')]
  const placements = units.map(({ name }, at) => ({
    unit: name,
    machine: id(at + 1),
    ...(at > 0 && { renewedFrom: noNeeds }),
  }))
  const volumes = [{ name: 'data', machine: id(1) }]
  const { where } = settle({ machines: three, units, placements, volumes })
  t.same(where, { 'db.service': [1], 'other.service': [1], 'third.service': [1] })

  const fresh = settle({
    machines: three,
    units,
    placements: placements.map((each) => ({ ...each, renewedFrom: noNeeds })),
  })
  t.equal(new Set(Object.values(fresh.where).flat()).size, 1, 'nor do three that come at once')
  t.end()
})

t.test('under a new file a unit that must not run twice leaves who could not stop it', (t) => {
  const old = { ...machine(1), cannotFence: true as const }
  const db = unit('db.service', { fencing: 'stop' })
  const placement = { unit: db.name, machine: id(1), renewedFrom: noNeeds, fence: fenced }
  const { decisions } = plan({ machines: [old, machine(2)], units: [db], placements: [placement] })
  t.match(decisions, [{ kind: 'release', reason: { obstacle: { kind: 'noFencer' } } }])
  t.end()
})

t.test('of several under a new file no more leave than must, the lowest in turn first', (t) => {
  const sized = (name: string, mib: number, priority = 50) =>
    unit(name, { priority, minAvailable: 3 }, true, { memoryBytes: mib * 2 ** 20 })
  const renewed = (names: readonly string[], memoryBytes: number) =>
    names.map((name) => ({
      unit: unit(name).name,
      machine: id(1),
      renewedFrom: { ...noNeeds, memoryBytes },
    }))
  const names = ['web@1.service', 'web@2.service', 'web@3.service', 'web@4.service']
  const grown = {
    machines: [machine(1)],
    units: names.map((name) => sized(name, 1300)),
    placements: renewed(names, gib),
  }
  t.match(plan(grown).decisions, [{ kind: 'unplace', unit: 'web@4.service' }])
  t.equal(plan(grown).decisions.length, 1)
  const two = {
    machines: [machine(1)],
    units: [sized('a.service', 3000, 85), sized('b.service', 3000, 90)],
    placements: renewed(['a.service', 'b.service'], gib),
  }
  t.same(settle(two).where, { 'b.service': [1] })
  t.end()
})

t.test(
  'under a new file that asks for no more a unit stays, whatever has become of the room',
  (t) => {
    const neighbour = unit('neighbour.service', {}, true, { memoryBytes: 3 * gib })
    const web = unit('web.service', { replaces: ['neighbour.service'] }, true, {
      memoryBytes: 2 * gib,
    })
    const before = { ...noNeeds, memoryBytes: 2 * gib }
    const placement = { unit: web.name, machine: id(1), renewedFrom: before }
    const gone = {
      unit: unit('gone.service').name,
      machine: id(1),
      needs: { ...noNeeds, memoryBytes: 4 * gib },
    }
    const leaving = {
      machines: [machine(1)],
      units: [web],
      placements: [placement],
      leaving: [gone],
    }
    t.same(plan(leaving).decisions, [], 'somebody else is being stopped there')
    const small = { ...machine(1), capacity: { memoryBytes: gib, nanoCpus: 0 } }
    t.same(plan({ ...leaving, machines: [small] }).decisions, [], 'less may be reserved there now')
    const both = [
      { unit: neighbour.name, machine: id(1) },
      { ...placement, renewedFrom: noNeeds },
    ]
    const replacing = plan({ machines: [machine(1)], units: [web, neighbour], placements: both })
    t.match(
      replacing.decisions,
      [{ kind: 'unplace', unit: 'neighbour.service' }],
      'who makes way is no obstacle',
    )
    t.equal(replacing.decisions.length, 1)
    t.end()
  },
)

t.test('a new file that shuns its neighbours sends its own unit away, and not them', (t) => {
  const [bank, shop] = [
    unit('bank.service', { priority: 90 }),
    unit('shop.service', { priority: 10 }),
  ]
  for (const priority of [10, 50, 95]) {
    const toy = unit('toy.service', { priority, conflicts: ['bank.*', 'shop.*'] })
    const units = [bank, shop, toy]
    const placements = units.map(({ name }) => ({
      ...{ unit: name, machine: id(1) },
      ...(name === toy.name && { renewedFrom: noNeeds }),
    }))
    const { where } = settle({ machines: [machine(1)], units, placements })
    t.same(where, { 'bank.service': [1], 'shop.service': [1] })
  }
  t.end()
})

t.test('who must leave in any case is no neighbour to the others, and the highest stays', (t) => {
  const high = unit('high.service', { priority: 90, conflicts: ['toy.service'] })
  const toy = unit('toy.service', { priority: 95, metadata: { disk: ['ssd'] } })
  const low = unit('low.service', { priority: 20, conflicts: ['high.service'] })
  const units = [high, toy, low]
  const placements = units.map(({ name }) => ({ unit: name, machine: id(1) }))
  const { decisions } = plan({ machines: [machine(1)], units, placements })
  t.same(
    decisions.map(({ kind, unit: name }) => `${kind} ${name}`),
    ['unplace toy.service', 'unplace low.service'],
  )
  t.end()
})

t.test('a new file with a volume goes where there is room, and is let make it there', (t) => {
  const db = unit('db.service', {}, true, { memoryBytes: 3 * gib, volumes: ['data'] })
  const neighbour = unit('neighbour.service', {}, true, { memoryBytes: 2 * gib })
  const placements = [
    { unit: neighbour.name, machine: id(1) },
    { unit: db.name, machine: id(1), renewedFrom: { ...noNeeds, memoryBytes: gib } },
  ]
  const { where } = settle({ machines: three, units: [db, neighbour], placements })
  t.same(where, { 'db.service': [2], 'neighbour.service': [1] })
  t.end()
})

t.test('who may yield is asked again when those who lend him their rank change', (t) => {
  const low = unit('low.service', { priority: 20 }, true, big)
  const high = unit('high.service', { priority: 60 }, true, big)
  const follower = (priority: number, wanted = true) =>
    unit('follower.service', { priority, machineOf: [low.name] }, wanted, big)
  const circumstances = { runs: new Map(), movesMax: undefined }
  for (const [what, change] of [
    ['is stopped', { units: [follower(60, false)] }],
    ['falls', { units: [follower(20)] }],
    ['is destroyed', { unitsGone: [follower(60).name] }],
  ] as const) {
    const kept = new Scheduler()
    const placements = [{ unit: low.name, machine: id(1) }]
    kept.update({ machines: [machine(1)], units: [high, low, follower(60)], placements })
    t.same(kept.plan(circumstances).decisions, [])
    kept.update(change)
    const [first] = kept.plan(circumstances).decisions
    t.match(first, { kind: 'unplace', unit: 'low.service' }, `who follows ${what}`)
  }
  t.end()
})

t.test('a volume of a new file is nowhere before its unit has stayed', (t) => {
  const uses = { volumes: ['logs'] }
  const agent = unit('agent.service', { global: true, conflicts: ['web.*'] }, true, uses)
  const other = unit('other.service', { replaces: ['agent.service'], machineId: id(2) })
  const web = unit('web.service', { metadata: { disk: ['ssd'] } }, true, uses)
  const machines = [machine(1), machine(2, { disk: 'ssd' })]
  const placements = [
    { unit: agent.name, machine: id(2), renewedFrom: noNeeds },
    { unit: unit('holder.service').name, machine: id(1) },
  ]
  const holder = unit('holder.service', { conflicts: ['agent.service'] })
  const volumes = [{ name: 'logs', machine: id(1) }]
  const { where } = settle({ machines, units: [agent, other, web, holder], placements, volumes })
  t.equal(where['web.service'], undefined, 'it waits for the machine that has it')
  const first = settle({ machines, units: [agent, other, web, holder], placements })
  t.same(first.where['web.service'], [2], 'it makes the first')
  t.end()
})
