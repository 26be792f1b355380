/**
 * What a cluster owes once nothing is wrong any more: one leader, its voters, machines that are
 * ready, every runnable unit once where it was placed, and nothing left of earlier times.
 */
import { readLabels } from '../../src/core/reconcile/labels.ts'
import { generationOf, placements, states, units } from '../../src/core/records/keyspace.ts'
import { checkPlacements } from '../../src/core/scheduler/check.ts'
import { plan } from '../../src/core/scheduler/plan.ts'
import { snapshotOf } from './invariants/placement-rules.ts'
import type { SimulatedMachine } from './machine.ts'
import type { World } from './world.ts'

/** What is still missing; empty when the cluster is as it should be. */
export function missing(world: World): string[] {
  return [...missingMembers(world), ...missingPlacements(world), ...missingContainers(world)]
}

function missingMembers(world: World): string[] {
  const { leader, machines, committed, voters } = world
  const leaders = machines.filter(
    ({ process }) => process?.core?.member?.member.leadership.role === 'leader',
  )
  if (leader === undefined) return ['nobody is in office']
  const found: string[] = []
  if (leaders.length !== 1) found.push(`${leaders.length} members say that they lead`)
  const { config } = leader.member.member.status()
  if (config.voters.length !== voters || config.outgoing.length > 0) {
    found.push(`voters are ${JSON.stringify(config)}, not ${voters} of them`)
  }
  for (const id of config.voters) {
    if (world.machineOf(id) === undefined) found.push(`voter ${id} runs nowhere`)
  }
  const named = new Set([...config.voters, ...config.outgoing, ...config.learners])
  for (const { name, process } of machines) {
    const id = process?.core?.member?.member.id
    // It asks whether it was removed when it has heard nobody for a while.
    if (id !== undefined && !named.has(id)) found.push(`${name} runs member ${id}, which is none`)
  }
  for (const { id, name, status } of committed.machines.values) {
    if (status !== 'ready') found.push(`machine ${name} (${id.slice(-2)}) is ${status}`)
  }
  if (committed.machines.items.size !== machines.length) found.push('a machine is not registered')
  for (const { name, process } of machines) {
    if (process?.server === undefined) found.push(`${name} does not answer`)
  }
  return found
}

function missingPlacements({ committed }: World): string[] {
  const snapshot = snapshotOf(committed)
  const { decisions } = plan(snapshot)
  return [
    ...decisions.map((decision) => `yet to be planned: ${JSON.stringify(decision)}`),
    ...checkPlacements(snapshot).map((each) => `a rule is broken: ${JSON.stringify(each)}`),
  ]
}

function missingContainers({ committed, machines }: World): string[] {
  const found: string[] = []
  const wanted = new Map<string, string>()
  for (const stored of committed.placements.items.values()) {
    const { unit, machine, desired, hash } = stored.value
    const record = committed.units.items.get(units.key(unit))?.value
    if (record?.hash !== hash || record.desired !== desired)
      found.push(`${unit} is placed as it was`)
    if (desired === 'launched') wanted.set(placements.key(machine, unit), hash)
    const state = committed.get(states.key(machine, unit))
    const told = state === undefined ? undefined : states.read(state)?.value
    const active = desired === 'launched' ? 'active' : 'inactive'
    if (told?.active !== active || told.generation !== generationOf(stored)) {
      const words = `${told?.active ?? 'unknown'} (${told?.sub ?? ''}: ${told?.message ?? ''})`
      found.push(`${unit} is told to be ${words}, not ${active}`)
    }
  }
  for (const machine of machines) found.push(...surplus(machine, wanted))
  return [...found, ...[...wanted.keys()].map((key) => `nothing runs for ${key}`)]
}

/** Containers that nobody wants; takes from `wanted` what runs. */
function surplus({ engine, name, id }: SimulatedMachine, wanted: Map<string, string>): string[] {
  return engine.all.flatMap((container) => {
    const owner = readLabels(container.labels)
    if (owner === undefined) return [`${container.name} on ${name} is nobody's`]
    const key = placements.key(id, owner.unit)
    if (container.state === 'running' && wanted.get(key) === owner.hash) {
      wanted.delete(key)
      return []
    }
    return [`${container.name} (${container.state}) is left on ${name}`]
  })
}
