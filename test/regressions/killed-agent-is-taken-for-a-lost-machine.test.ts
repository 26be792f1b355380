import t from 'tap'
import { machineId } from '../../src/base/ids.ts'
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

/** What happens to a machine before it loses its power, and is then lost as soon as ever. */
const before = {
  'a machine that loses its power ends no connection': async () => undefined,
  'one whose agent has come back is not waited for any more': async (world, machine) => {
    machine.crash()
    await world.run(1000)
    machine.startIfStopped()
    await world.run(2000)
  },
  'nor is one whose agent has only opened its connections anew': async (world, machine) => {
    for (const other of world.machines) machine.process?.breakStreamsWith(other.host)
    await world.run(2000)
  },
} satisfies Record<string, (world: World, machine: SimulatedMachine) => Promise<unknown>>

for (const [what, happens] of Object.entries(before)) {
  t.test(what, async (t) => {
    const world = await clusterOf(3)
    await world.run(2000)
    const machine = follower(world)
    await happens(world, machine)
    machine.losePower()
    t.ok(await world.runUntil(() => statusOf(world, machine) === 'lost', 3000))
  })
}

t.test('an agent that said that it ends is taken at its word', async (t) => {
  const world = await clusterOf(3)
  await world.run(2000)
  const { relay } = world.leader!.machine.process!.core!
  const told = { bootId: 'b', memberId: 0, reports: [] }
  const silentAfter = (digit: string, last: { silentForMs: number; ends?: true }): number => {
    const ghost = machineId(digit.repeat(32))
    // Nobody waits for the verdicts of what does not exist.
    relay.hear(ghost, { ...told, ...last, place: { run: 'r', sequence: 1 } }).catch(() => undefined)
    relay.ended(ghost)
    return Math.round(
      relay.table.silentUntilMs(ghost) - world.leader!.machine.process!.clock.monotonicMs(),
    )
  }
  t.equal(silentAfter('a', { silentForMs: 0 }), 10_000, 'killed')
  t.equal(silentAfter('b', { silentForMs: 15_000, ends: true }), 15_000, 'stopped')
  t.equal(silentAfter('c', { silentForMs: 15_000 }), 15_000, 'stopped, of an older release')
  t.ok(silentAfter('d', { silentForMs: 0, ends: true }) <= 0, 'with its machine')
})
