/** What stories of membership ask for and do: a cluster of a size, its voters, people's words. */
import { utf8 } from '../../src/base/bytes.ts'
import { JangadaError } from '../../src/base/errors.ts'
import type { MemberId } from '../../src/base/ids.ts'
import { clusterSettings, events, voting } from '../../src/core/records/keyspace.ts'
import type { ClusterSettingsRecord } from '../../src/core/records/schemas.ts'
import type { ConfState } from '../../src/core/raft/types.ts'
import type { Operation } from '../../src/core/store/types.ts'
import { worldInvariants } from './invariants/all.ts'
import type { SimulatedMachine } from './machine.ts'
import { World } from './world.ts'

export const soonMs = 20_000

/**
 * A complete cluster of so many machines and voters, before anything happens to it. With a
 * `level`, all run a binary that knows no higher one.
 */
export async function clusterOf(
  machines: number,
  voters: 3 | 5 = 3,
  level?: number,
): Promise<World> {
  for (let seed = 1; seed < 1000; seed += 1) {
    const world = new World({ seed, invariants: worldInvariants })
    if (world.machines.length !== machines || world.voters !== voters) continue
    if (level !== undefined) for (const each of world.machines) each.featureLevel = level
    if (await world.begin()) return world
    throw new Error(`the cluster of seed ${seed} does not come up`)
  }
  throw new Error('no seed has such a cluster')
}

export function configOf(world: World): ConfState | undefined {
  return world.leader?.member.member.status().config
}

/** Machines that vote, as the leader has it. */
export function votersOf(world: World): SimulatedMachine[] {
  const voters = configOf(world)?.voters ?? []
  return voters.flatMap((id) => world.machineOf(id) ?? [])
}

/** As many voters as asked for, on machines that run, and no change under way. */
export const isWhole = (world: World, voters: number): boolean =>
  configOf(world)?.voters.length === voters &&
  configOf(world)?.outgoing.length === 0 &&
  votersOf(world).length === voters

export function idOf(machine: SimulatedMachine): MemberId {
  const id = machine.process?.core?.memberId
  if (id === undefined) throw new Error(`${machine.name} does not run`)
  return id
}

/** Through the leader, as anybody may. */
export async function write(world: World, ...then: readonly Operation[]): Promise<void> {
  const { leader } = world
  if (leader === undefined) throw new Error('nobody leads')
  const writing = leader.member.transact({ compare: [], then, otherwise: [] })
  await world.time.runUntilSettled(writing, soonMs)
}

export const put = (key: string, value: string): Operation => ({
  kind: 'put',
  key,
  value: utf8(value),
})

/** What `members demote|promote` write. */
export const wishFor = ({ id }: SimulatedMachine, wish: 'voter' | 'client'): Operation =>
  voting.put({ v: 1, machineId: id, wish, setMs: 0 }, id)

/** A write through `machine`: the code it is refused with, or undefined when it is done. */
export async function writeThrough(
  world: World,
  machine: SimulatedMachine,
  operation: Operation,
): Promise<string | undefined> {
  const store = machine.process?.core?.store
  if (store === undefined) throw new Error(`${machine.name} does not run`)
  const writing = store
    .transact({ compare: [], then: [operation], otherwise: [] })
    .then(() => undefined)
    .catch((error: unknown) => {
      if (error instanceof JangadaError) return error.code
      throw error
    })
  return world.time.runUntilSettled(writing, soonMs)
}

export function settingsOf(world: World): ClusterSettingsRecord | undefined {
  const item = world.committed.get(clusterSettings.key('cluster'))
  return item === undefined ? undefined : clusterSettings.read(item)?.value
}

/** Messages of the events of this kind, oldest first. */
export async function told(world: World, kind: string): Promise<string[]> {
  const store = world.leader?.member
  if (store === undefined) throw new Error('nobody leads')
  const { items } = await store.range(events.range, 'local')
  return items.flatMap((item) => {
    const event = events.read(item)?.value
    return event?.kind === kind ? [event.message] : []
  })
}
