/**
 * Finds the best machine for a unit without a look at each: machines that are equal in what the unit weighs
 * first are taken together, best first, and only the first that may run it is asked for. `choiceFor` says
 * what is better; this gives the same.
 */
import { isIdOf, isMachineId, type MachineId } from '../../base/ids.ts'
import type { Capacity } from '../../base/room.ts'
import { Bits } from './bits.ts'
import { choiceFor, takesTheFirst } from './choice.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import type { SchedulerUnit } from './types.ts'

/** A unit that follows another one asks at its places, unless that one is almost everywhere. */
const maxPeerPlaces = 64

type Accept = (state: MachineState) => boolean
/** The machines of a set in groups, the best first. */
type Grouping = (among: Bits) => Iterable<Bits>

/** The best of the ready machines that `accept` takes, which changes nothing. */
export function bestFor(
  unit: SchedulerUnit,
  fleet: FleetState,
  accept: Accept,
): MachineState | undefined {
  const asked = placesAskedFor(unit, fleet) ?? holdersFor(unit, fleet)
  if (asked !== undefined) {
    return asked.toSorted(choiceFor(unit, fleet)).find(accept)
  }
  const { table } = fleet
  const eligible = table.attributes.eligible(unit.rules)
  if (takesTheFirst(unit)) return table.first(eligible, accept)
  const last = (among: Bits): MachineState | undefined =>
    unit.rules.strategy === 'pack'
      ? fullest(unit, fleet, among, accept)
      : table.first(among, accept)
  return descend(groupingsOf(unit, fleet), eligible ?? table.all, last)
}

/**
 * Of units that ask for a machine, or for a peer: the ready ones among those; all others refuse it, for
 * that or for their metadata. Undefined: any machine may do.
 */
export function placesAskedFor(unit: SchedulerUnit, fleet: FleetState): MachineState[] | undefined {
  const { machineId, machineOf } = unit.rules
  const [peer] = machineOf
  if (machineId === undefined && peer === undefined) return undefined
  const places = peer === undefined ? nowhere : fleet.placesOf(peer)
  if (machineId === undefined && places.size > maxPeerPlaces) return undefined
  const ids = machineId === undefined ? places : idsOf(machineId, fleet)
  const states = [...ids].flatMap((id) => fleet.machines.get(id) ?? [])
  return states.filter(({ machine }) => machine.status === 'ready')
}

/** Of a whole id the machine, be it there or not; of a short one all that it may be. */
function idsOf(asked: string, { machines }: FleetState): Iterable<MachineId> {
  return isMachineId(asked) ? [asked] : machines.keys().filter((id) => isIdOf(asked, id))
}

/** Of units that use a volume which is somewhere: the ready machines that have it. */
function holdersFor(
  { needs, rules }: SchedulerUnit,
  fleet: FleetState,
): MachineState[] | undefined {
  if (rules.global) return undefined
  for (const volume of needs.volumes ?? []) {
    const holders = fleet.volumes.holdersOf(volume)
    if (holders.size === 0) continue
    const states = [...holders.keys()].flatMap((id) => fleet.machines.get(id) ?? [])
    return states.filter(({ machine }) => machine.status === 'ready')
  }
  return undefined
}

const nowhere: ReadonlySet<MachineId> = new Set()

function descend(
  [grouping, ...finer]: readonly Grouping[],
  among: Bits,
  last: (among: Bits) => MachineState | undefined,
): MachineState | undefined {
  if (grouping === undefined) return last(among)
  for (const group of grouping(among)) {
    const found = group.isEmpty ? undefined : descend(finer, group, last)
    if (found !== undefined) return found
  }
  return undefined
}

function groupingsOf(unit: SchedulerUnit, fleet: FleetState): Grouping[] {
  const { rules, crashes } = unit
  const { attributes } = fleet.table
  const groupings: Grouping[] = []
  if (crashes !== undefined && crashes.failedOn.size > 0) {
    groupings.push((among) => byFailures(fleet, crashes.failedOn, among))
  }
  for (const label of rules.spread) {
    groupings.push((among) => byKindred(unit, fleet, label, among))
  }
  if (rules.prefer.length > 0) {
    groupings.push((among) =>
      attributes
        .wishes(rules.prefer)
        .values()
        .map((group) => group.and(among)),
    )
  }
  return groupings
}

function* byFailures(
  fleet: FleetState,
  failedOn: ReadonlyMap<MachineId, number>,
  among: Bits,
): Generator<Bits> {
  const without = among.and(among)
  const groups = new Map<number, Bits>()
  for (const [id, failures] of failedOn) {
    const state = fleet.machines.get(id)
    const rank = state === undefined ? -1 : fleet.table.rankOf(state)
    if (rank < 0 || failures === 0 || !among.has(rank)) continue
    without.delete(rank)
    const group = groups.get(failures) ?? new Bits(fleet.table.size)
    group.add(rank)
    groups.set(failures, group)
  }
  yield without
  for (const [, group] of [...groups].toSorted(([a], [b]) => a - b)) yield group
}

function* byKindred(
  unit: SchedulerUnit,
  fleet: FleetState,
  label: string,
  among: Bits,
): Generator<Bits> {
  const counts = fleet.kindredByValue(unit.name, label)
  const byCount = new Map<number, (readonly number[])[]>()
  for (const [value, ranks] of fleet.table.attributes.valuesOf(label)) {
    const count = counts.get(value) ?? 0
    const lists = byCount.get(count)
    if (lists === undefined) byCount.set(count, [ranks])
    else lists.push(ranks)
  }
  for (const [, lists] of [...byCount].toSorted(([a], [b]) => a - b)) {
    const group = new Bits(fleet.table.size)
    for (const ranks of lists) for (const rank of ranks) group.add(rank)
    yield group.and(among)
  }
}

/** By share, then by units. Those that have no room in any case are not even asked. */
function fullest(
  unit: SchedulerUnit,
  fleet: FleetState,
  among: Bits,
  accept: Accept,
): MachineState | undefined {
  const { shares, memoryLeft, cpusLeft } = fleet.table.fullness
  const { memoryBytes, nanoCpus } = roomAskedFor(unit, fleet)
  let best: MachineState | undefined
  let bestShare = 0
  among.forEach((rank) => {
    const share = shares[rank] as number
    if (share < bestShare) return
    if (memoryBytes > (memoryLeft[rank] as number) || nanoCpus > (cpusLeft[rank] as number)) return
    const state = fleet.table.at(rank)
    if (best !== undefined && share === bestShare && state.units.size <= best.units.size) return
    if (!accept(state)) return
    best = state
    bestShare = share
  })
  return best
}

/** What a machine must have left; nothing, if on some the unit takes what is another's, or its own already. */
function roomAskedFor({ name, needs, rules }: SchedulerUnit, fleet: FleetState): Capacity {
  const takesMore = rules.replaces.length > 0 || fleet.leftovers.has(name)
  const asked = (amount: number): number => (takesMore || amount === 0 ? -Infinity : amount)
  return { memoryBytes: asked(needs.memoryBytes), nanoCpus: asked(needs.nanoCpus) }
}

/**
 * The lost machine that the unit is moved from: the one that it has not been moved from yet. Of several the
 * first.
 */
export function lostPlaceOf({ name }: SchedulerUnit, fleet: FleetState): MachineId | undefined {
  const places = fleet.placesOf(name)
  if (places.size === 0) return undefined
  let first: MachineId | undefined
  const isBefore = (id: MachineId, other: MachineId): boolean => {
    const moved = fleet.movers.has(name, id)
    return moved === fleet.movers.has(name, other) ? id < other : !moved
  }
  for (const id of places) {
    const isLost = fleet.machines.get(id)?.machine.status === 'lost'
    if (isLost && (first === undefined || isBefore(id, first))) first = id
  }
  return first
}
