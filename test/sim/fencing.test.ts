/**
 * `Fencing=stop` on whole simulated nodes: whatever happens to the machine that has the unit, no
 * second copy starts while the first runs (the invariant `never twice` watches), and one runs in the
 * end. A unit that keeps is never touched.
 */
import t from 'tap'
import { machines, units } from '../../src/core/records/keyspace.ts'
import { readLabels } from '../../src/core/reconcile/labels.ts'
import type { SimulatedMachine } from './machine.ts'
import { clusterOf, soonMs, told, write } from './membership.ts'
import { unitFiles } from './unit-files.ts'
import type { World } from './world.ts'

const alone = 'alone.service'
const keeps = 'report.service'
/** Longer than R, and than any deadline. */
const longMs = 6000

const copiesOf = (world: World, unit: string): SimulatedMachine[] =>
  world.machines.filter(({ engine }) =>
    engine.running.some(({ labels }) => readLabels(labels)?.unit === unit),
  )

async function submit(world: World, name: string, wanted = true, edit = ''): Promise<void> {
  const found = unitFiles(world.machines[0]!.id).find((each) => each.name === name)
  const file = `${found?.file ?? ''}${edit}`
  const desired = wanted ? 'launched' : 'inactive'
  const hash = name + edit
  await write(world, units.put({ v: 1, name, file, hash, desired, submittedMs: 0 }, name))
}

/** Five machines, the unit running on one of them that does not lead, unless it is to. */
async function begin(
  onLeader = false,
  voters: 3 | 5 = 3,
): Promise<{ world: World; old: SimulatedMachine }> {
  const world = await clusterOf(5, voters)
  await submit(world, alone)
  await submit(world, keeps)
  const runs = (): boolean =>
    copiesOf(world, alone).length === 1 && copiesOf(world, keeps).length === 1
  t.ok(await world.runUntil(runs, soonMs), 'both run')
  const old = copiesOf(world, alone)[0]!
  const leads = (): boolean => (world.leader?.machine === old) === onLeader
  if (!leads()) {
    const to = onLeader ? old : world.machines.find((each) => each !== old)
    const id = to?.process?.core?.memberId
    if (id !== undefined && id > 0) world.leader?.member.member.transferTo(id)
  }
  await world.runUntil(leads, 5000)
  await world.run(500)
  return { world, old }
}

const others = (world: World, machine: SimulatedMachine): string[] =>
  world.machines.flatMap((each) => (each === machine ? [] : [each.host]))

const runsElsewhere = (world: World, old: SimulatedMachine) => (): boolean =>
  copiesOf(world, alone).some((each) => each !== old)
const runsOnce = (world: World) => (): boolean => copiesOf(world, alone).length === 1

t.test('its machine is cut off: its fencer stops it, then its replacement starts', async (t) => {
  const { world, old } = await begin()
  world.network.partition([old.host], others(world, old))
  t.ok(await world.runUntil(() => copiesOf(world, alone).length === 0, soonMs), 'it is stopped')
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs), 'it starts elsewhere')
  t.ok(old.fencer.kills > 0)
  world.network.healAll()
  t.ok(await world.runUntil(() => old.engine.all.length === 0 || runsOnce(world)(), soonMs))
  await world.run(longMs)
  t.notOk(copiesOf(world, alone).includes(old), 'it does not come back by itself')
  t.ok(runsOnce(world)())
  t.match(await told(world, 'unit.fenced'), [/^alone\.service was stopped on/])
})

t.test('a unit that keeps runs on where it is, and one copy is left after the heal', async () => {
  const { world } = await begin()
  const [there] = copiesOf(world, keeps) as [SimulatedMachine]
  world.network.partition([there.host], others(world, there))
  await world.run(longMs)
  t.ok(copiesOf(world, keeps).includes(there), 'nobody has touched it')
  world.network.healAll()
  t.ok(await world.runUntil(() => copiesOf(world, keeps).length === 1, soonMs))
})

t.test('a short cut moves nothing: the unit runs on', async (t) => {
  const { world, old } = await begin()
  const [before] = old.engine.running.filter(({ labels }) => readLabels(labels)?.unit === alone)
  world.network.partition([old.host], others(world, old))
  await world.run(1200)
  world.network.healAll()
  await world.run(longMs)
  t.ok(
    old.engine.running.some(({ id }) => id === before?.id),
    'the same container',
  )
})

for (const [what, from] of [
  ['is not heard', (host: string) => [host, 'others']],
  ['hears nobody', (host: string) => ['others', host]],
] as const) {
  t.test(`its machine ${what}: one way is enough to stop it`, async (t) => {
    const { world, old } = await begin()
    for (const other of others(world, old)) {
      const [a, b] = from(old.host)
      world.network.cut(a === 'others' ? other : old.host, b === 'others' ? other : old.host)
    }
    t.ok(await world.runUntil(() => copiesOf(world, alone).length === 0, soonMs), 'stopped')
    t.ok(await world.runUntil(runsElsewhere(world, old), soonMs), 'and started elsewhere')
    world.network.healAll()
    await world.run(longMs)
    t.ok(runsOnce(world)())
  })
}

t.test('cut off with the leader on it, and with clocks that run apart', async (t) => {
  const { world, old } = await begin(true)
  old.setClockRate(0.991)
  for (const each of world.machines) if (each !== old) each.setClockRate(1.009)
  old.stepWall(-3_600_000)
  await world.run(1000)
  world.network.partition([old.host], others(world, old))
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs))
  old.stepWall(7_200_000)
  world.network.healAll()
  await world.run(longMs)
  t.ok(runsOnce(world)())
})

t.test(
  'its agent stands still: the fencer stops it, and the thawed agent starts nothing',
  async (t) => {
    const { world, old } = await begin()
    old.freeze()
    t.ok(await world.runUntil(() => copiesOf(world, alone).length === 0, soonMs), 'it is stopped')
    t.ok(await world.runUntil(runsElsewhere(world, old), soonMs), 'it starts elsewhere')
    old.thaw()
    await world.run(longMs)
    t.notOk(copiesOf(world, alone).includes(old))
    t.ok(runsOnce(world)())
  },
)

t.test('its agent dies and its machine is cut off: the fencer goes on alone', async (t) => {
  const { world, old } = await begin()
  old.crash()
  world.network.partition([old.host], others(world, old))
  t.ok(await world.runUntil(() => copiesOf(world, alone).length === 0, soonMs), 'it is stopped')
  old.start()
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs + 10_000), 'it starts elsewhere')
  world.network.healAll()
  await world.run(longMs)
  t.ok(runsOnce(world)())
})

t.test('an agent that dies and is back at once takes its fencer over: nothing stops', async (t) => {
  const { world, old } = await begin()
  const [before] = old.engine.running.filter(({ labels }) => readLabels(labels)?.unit === alone)
  old.crash()
  await world.run(300)
  old.start()
  await world.run(longMs)
  t.ok(
    old.engine.running.some(({ id }) => id === before?.id),
    'the same container',
  )
})

t.test('agent and fencer die together: the next agent stops what nobody guarded', async (t) => {
  const { world, old } = await begin()
  const [before] = old.engine.running.filter(({ labels }) => readLabels(labels)?.unit === alone)
  old.crash()
  old.fencer.die()
  world.network.partition([old.host], others(world, old))
  old.start()
  const stopped = (): boolean => old.engine.running.every(({ id }) => id !== before?.id)
  t.ok(await world.runUntil(stopped, 2000))
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs), 'and only then it starts elsewhere')
  world.network.healAll()
  await world.run(longMs * 2)
  t.ok(runsOnce(world)())
})

t.test('the engine is dead: it is stopped all the same', async (t) => {
  const { world, old } = await begin()
  old.engine.crash()
  world.network.partition([old.host], others(world, old))
  t.ok(await world.runUntil(() => copiesOf(world, alone).length === 0, soonMs), 'it is stopped')
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs))
  old.engine.restart()
  world.network.healAll()
  await world.run(longMs)
  t.ok(runsOnce(world)())
})

t.test('the leader changes while it waits: the next one counts from its own office', async (t) => {
  const { world, old } = await begin(false, 5)
  world.network.partition([old.host], others(world, old))
  await world.run(2600)
  const { leader } = world
  leader?.machine.crash()
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs))
  leader?.machine.startIfStopped()
  world.network.healAll()
  await world.run(longMs)
  t.ok(runsOnce(world)())
})

t.test('its machine drains: it stops there, and only then starts elsewhere', async (t) => {
  const { world, old } = await begin()
  const record = world.committed.machines.values.find(({ id }) => id === old.id)!
  await write(world, machines.put({ ...record, drain: { sinceMs: 1 } }, old.id))
  t.ok(await world.runUntil(runsElsewhere(world, old), soonMs))
  t.ok(runsOnce(world)())
})

t.test(
  'stopped and started again, edited, destroyed and submitted anew: never twice',
  async (t) => {
    const { world } = await begin()
    await submit(world, alone, false)
    await submit(world, alone)
    await world.run(longMs)
    t.ok(runsOnce(world)())
    await write(world, { kind: 'delete', key: units.key(alone) })
    await world.run(20)
    await submit(world, alone, true, '\n# another\n')
    await world.run(longMs)
    t.ok(runsOnce(world)())
  },
)
