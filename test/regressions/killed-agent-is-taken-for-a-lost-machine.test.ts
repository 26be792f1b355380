import t from 'tap'
import { clusterOf } from '../sim/membership.ts'
import type { SimulatedMachine } from '../sim/machine.ts'
import type { World } from '../sim/world.ts'

const statusOf = ({ committed }: World, machine: SimulatedMachine): string | undefined =>
  committed.machines.values.find(({ id }) => id === machine.id)?.status

/** Every status that the records give the machine for `ms` from now. */
async function statusesFor(world: World, machine: SimulatedMachine, ms: number): Promise<string[]> {
  const seen = new Set<string>()
  const untilMs = world.time.nowMs + ms
  while (world.time.nowMs < untilMs) {
    await world.run(100)
    seen.add(statusOf(world, machine) ?? 'none')
  }
  return [...seen]
}

const follower = (world: World): SimulatedMachine =>
  world.machines.find((machine) => machine !== world.leader?.machine)!

/**
 * A process that is killed says no goodbye, and on a busy machine its successor takes longer than
 * the 1.75 s after which a silent machine is lost: healthy work was moved away. But the machine's
 * own kernel ends the connections of the killed one, and a machine without power ends none.
 */
for (const who of ['a follower', 'the leader'] as const) {
  t.test(`${who}’s process is killed and takes its time: its machine is waited for`, async (t) => {
    const world = await clusterOf(3)
    await world.run(2000)
    const machine = who === 'a follower' ? follower(world) : world.leader!.machine
    machine.crash()
    t.same(await statusesFor(world, machine, 6000), ['ready'])
    machine.startIfStopped()
    t.same(await statusesFor(world, machine, 15_000), ['ready'], 'and when that is over')
  })
}

t.test('one that does not come back is lost when the wait is over', async (t) => {
  const world = await clusterOf(3)
  await world.run(2000)
  const machine = follower(world)
  machine.crash()
  t.same(await statusesFor(world, machine, 9500), ['ready'])
  t.ok(await world.runUntil(() => statusOf(world, machine) === 'lost', 4000))
})

t.test(
  'a machine that loses its power ends no connection: it is lost as soon as ever',
  async (t) => {
    const world = await clusterOf(3)
    await world.run(2000)
    const machine = follower(world)
    machine.losePower()
    t.ok(await world.runUntil(() => statusOf(world, machine) === 'lost', 3000))
  },
)

t.test('who has returned and then loses its power is not waited for', async (t) => {
  const world = await clusterOf(3)
  await world.run(2000)
  const machine = follower(world)
  machine.crash()
  await world.run(1000)
  machine.startIfStopped()
  await world.run(2000)
  machine.losePower()
  t.ok(await world.runUntil(() => statusOf(world, machine) === 'lost', 3000))
})

t.test('an agent that has only changed its connection is not waited for either', async (t) => {
  const world = await clusterOf(3)
  await world.run(2000)
  const machine = follower(world)
  for (const other of world.machines) machine.process?.breakStreamsWith(other.host)
  await world.run(2000)
  machine.losePower()
  t.ok(await world.runUntil(() => statusOf(world, machine) === 'lost', 3000))
})
