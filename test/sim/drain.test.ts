/** A machine is emptied while all goes on: on whole simulated nodes, with every invariant watching. */
import t from 'tap'
import { machines, placements, units } from '../../src/core/records/keyspace.ts'
import type { MachineRecord, UnitRecord } from '../../src/core/records/schemas.ts'
import { readLabels } from '../../src/core/reconcile/labels.ts'
import { keyOf } from './committed.ts'
import { clusterOf, soonMs, told, write } from './membership.ts'
import type { SimulatedMachine } from './machine.ts'
import { instances, unitFiles } from './unit-files.ts'
import type { World } from './world.ts'

const names = [...instances, 'cache.service', 'web.service', 'report.service']

/** How many containers of each unit run, everywhere. */
function copies(world: World): ReadonlyMap<string, number> {
  const counts = new Map<string, number>(names.map((name) => [name, 0]))
  for (const { engine } of world.machines) {
    for (const { labels } of engine.running) {
      const unit = readLabels(labels)?.unit ?? ''
      if (counts.has(unit)) counts.set(unit, (counts.get(unit) ?? 0) + 1)
    }
  }
  return counts
}

const runsOn = ({ engine }: SimulatedMachine, unit: string): boolean =>
  engine.running.some(({ labels }) => readLabels(labels)?.unit === unit)

const allRun = (world: World): boolean => [...copies(world).values()].every((count) => count === 1)
const placedOn = (world: World, { id }: SimulatedMachine): string[] =>
  world.committed.placements.values.flatMap(({ machine, unit }) =>
    machine === id && unit !== 'everywhere.service' ? [unit] : [],
  )

async function startAll(world: World): Promise<void> {
  const files = new Map(unitFiles(world.machines[0]!.id).map(({ name, file }) => [name, file]))
  for (const name of names) {
    const file = files.get(name) ?? files.get('hello@.service') ?? ''
    const record = { v: 1, name, file, hash: name, desired: 'launched', submittedMs: 0 } as const
    await write(world, units.put(record, name))
  }
  t.ok(await world.runUntil(() => allRun(world), soonMs), 'everything runs')
}

async function drain(
  world: World,
  { id }: SimulatedMachine,
  how: MachineRecord['drain'] = { sinceMs: 1 },
): Promise<void> {
  const record = world.committed.machines.values.find((each) => each.id === id)
  if (record !== undefined) await write(world, machines.put({ ...record, drain: how }, id))
}

t.test('every unit runs somewhere at every moment, and in the end once, elsewhere', async (t) => {
  const world = await clusterOf(5)
  await startAll(world)
  const [busiest] = world.machines.toSorted(
    (a, b) => placedOn(world, b).length - placedOn(world, a).length,
  ) as [SimulatedMachine]
  const before = placedOn(world, busiest)
  t.ok(before.length > 0)
  await drain(world, busiest)
  /** Units that were taken off before another copy ran. A follower leaves with its peer: no order keeps both. */
  const early = new Set<string>()
  const prefix = `${placements.prefix}${busiest.id}/`
  world.committed.onRevision(({ events }) => {
    for (const { kind, key } of events.map((event) => ({ ...event, key: keyOf(event) }))) {
      const unit = key.startsWith(prefix) ? key.slice(prefix.length) : ''
      const isGone = kind === 'delete' && names.includes(unit) && unit !== 'web.service'
      const elsewhere = world.machines.filter((machine) => machine !== busiest)
      if (isGone && !elsewhere.some((machine) => runsOn(machine, unit))) early.add(unit)
    }
  })
  const gaps = new Set<string>()
  const isEmpty = (): boolean => {
    for (const [name, count] of copies(world)) {
      if (count === 0 && name !== 'web.service') gaps.add(name)
    }
    return placedOn(world, busiest).length === 0
  }
  t.ok(await world.runUntil(isEmpty, soonMs), 'it is emptied')
  t.same([...early, ...gaps], [])
  t.ok(await world.runUntil(() => allRun(world), soonMs), 'once each')
  await world.run(3000)
  t.ok(allRun(world))
  t.same(placedOn(world, busiest), [])
})

t.test('a machine that restarts while it drains still drains', async (t) => {
  const world = await clusterOf(5)
  await startAll(world)
  const followers = world.machines.filter((machine) => machine !== world.leader?.machine)
  const machine = followers.find((each) => placedOn(world, each).length > 0) ?? followers[0]!
  await drain(world, machine)
  machine.crash()
  await world.run(500)
  machine.startIfStopped()
  t.ok(await world.runUntil(() => placedOn(world, machine).length === 0 && allRun(world), soonMs))
  const record = world.committed.machines.values.find(({ id }) => id === machine.id)
  t.ok(record?.drain !== undefined && record.status === 'ready')
  t.ok((await told(world, 'machine.ready')).length > 0)
})

t.test(
  'what has no other place goes at the deadline, though nothing else happens then',
  async (t) => {
    const world = await clusterOf(5)
    const machine = world.machines.find((each) => each !== world.leader?.machine)!
    const { file } = unitFiles(machine.id).find(({ name }) => name === 'here.service')!
    const pinned = {
      v: 1,
      name: 'here.service',
      file,
      hash: 'h',
      desired: 'launched',
      submittedMs: 0,
    }
    await write(world, units.put(pinned as UnitRecord, 'here.service'))
    t.ok(await world.runUntil(() => runsOn(machine, 'here.service'), soonMs))
    const leadersClock = world.leader!.machine.process!.clock
    const deadlineMs = leadersClock.wallMs() + 8000
    await drain(world, machine, { sinceMs: 1, deadlineMs })
    await world.run(5000)
    t.ok(runsOn(machine, 'here.service'), 'not before')
    const isGone = (): boolean => !runsOn(machine, 'here.service')
    t.ok(await world.runUntil(isGone, 8000), 'and not much later')
  },
)

t.test('who yields to a higher priority is told of', async (t) => {
  const world = await clusterOf(5)
  const machine = world.machines[0]!
  const sizeOf = (): number =>
    world.committed.machines.values.find(({ id }) => id === machine.id)?.memoryBytes ?? 0
  const start = async (name: string, priority: number): Promise<void> => {
    const { file: plain } = unitFiles(machine.id).find((each) => each.name === 'here.service')!
    const file = `${plain}Priority=${priority}\nMemory=${sizeOf()}\n`
    const record = { v: 1, name, file, hash: name, desired: 'launched', submittedMs: 0 } as const
    await write(world, units.put(record, name))
  }
  await start('low.service', 20)
  t.ok(await world.runUntil(() => runsOn(machine, 'low.service'), soonMs))
  await start('high.service', 80)
  const isDone = (): boolean => runsOn(machine, 'high.service') && !runsOn(machine, 'low.service')
  t.ok(await world.runUntil(isDone, soonMs))
  t.match(await told(world, 'unit.preempted'), [
    /^low\.service leaves .*high\.service has a higher priority/,
  ])
})
