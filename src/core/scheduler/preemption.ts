/**
 * Whom a unit with a high `Priority=` may drive from a machine that has no room for it. Only room is
 * fought for: no rule is broken for a priority, and nobody yields to one that is only a little higher.
 */
import type { UnitName } from '../../base/ids.ts'
import type { Availability } from './availability.ts'
import { choiceFor } from './choice.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import { isKin } from './kinds.ts'
import { isFree, isRoomComing, roomObstacle } from './room.ts'
import { cannotFence, standingObstacle, volumeObstacle } from './rules.ts'
import type { ObstacleCounts, SchedulerUnit } from './types.ts'

/** So much lower a priority must be to yield (Nomad's number): units of one rank stay in peace. */
export const yieldsBelow = 10

/** Some machine would run it if there were more room: all that is fought for. */
export const isShortOfRoom = ({ memoryBytes, nanoCpus, port }: ObstacleCounts): boolean =>
  [memoryBytes, nanoCpus, port].some((machines) => (machines ?? 0) > 0)

export interface Preemption {
  readonly state: MachineState
  /** In the order in which they leave. */
  readonly victims: readonly SchedulerUnit[]
}

/**
 * Where, of `candidates`, fewest of the least have to leave; undefined when that would not help either,
 * `waits` when room is coming by itself.
 * Global units never yield: they have no other place.
 */
export function preemptionFor(
  unit: SchedulerUnit,
  fleet: FleetState,
  available: Availability,
  candidates: readonly MachineState[],
): Preemption | 'waits' | undefined {
  let best: Preemption | undefined
  let mayChange = false
  for (const state of candidates) {
    if (state.machine.drain !== 'none' || state.units.has(unit.name)) continue
    if (cannotFence(unit, state) || standingObstacle(unit, state, fleet) !== undefined) continue
    if (volumeObstacle(unit, state, fleet) !== undefined) continue
    // Somebody has gone for it already, or by himself: it waits for that, and drives nobody else away.
    if (isRoomComing(unit, state.machine.capacity, state.room)) return 'waits'
    const victims = victimsOn(unit, state, fleet, available)
    if (victims === 'waits') mayChange = true
    if (victims === 'waits' || victims === undefined) continue
    const found = { state, victims }
    if (best === undefined || compare(unit, fleet, found, best) < 0) best = found
  }
  return best ?? (mayChange ? 'waits' : undefined)
}

/**
 * The fewest of lowest priority without whom there is room; undefined when there is none even so, `waits`
 * when somebody may go later who may not now.
 */
function victimsOn(
  unit: SchedulerUnit,
  state: MachineState,
  fleet: FleetState,
  available: Availability,
): SchedulerUnit[] | 'waits' | undefined {
  const fits = (leaving: readonly SchedulerUnit[]): boolean =>
    roomObstacle(unit, state.machine.capacity, state.room, leaving) === undefined
  const peers = peersOf(unit, state)
  const lower = [...state.units.values()]
    .filter(({ rules, name, needs }) => {
      // Without it there is no more room than with it.
      if (isFree(needs)) return false
      const isPeer = peers.has(name)
      return !rules.global && !isPeer && rules.priority <= unit.rules.priority - yieldsBelow
    })
    .filter((other) => highestWith(other, fleet) <= unit.rules.priority - yieldsBelow)
    .toSorted((a, b) => a.rules.priority - b.rules.priority || (a.name < b.name ? -1 : 1))
  const free = lower
    .filter((other) => available.mayGo(other))
    .filter((other, at, all) => isFirstToGo(other, all.slice(0, at)))
  const leaving: SchedulerUnit[] = []
  for (const other of free) {
    if (fits(leaving)) break
    leaving.push(other)
  }
  if (!fits(leaving)) return free.length < lower.length ? 'waits' : undefined
  // Those at the front may have left in vain: what the last one took was enough.
  for (const other of leaving.toReversed()) {
    const without = leaving.filter((one) => one !== other)
    if (fits(without)) leaving.splice(leaving.indexOf(other), 1)
  }
  return leaving
}

/** Whom it follows, and whom they follow there: with any of them its own place would go. */
function peersOf(unit: SchedulerUnit, state: MachineState): ReadonlySet<string> {
  const peers = new Set<string>(unit.rules.machineOf)
  for (const name of peers) {
    for (const further of state.units.get(name as UnitName)?.rules.machineOf ?? [])
      peers.add(further)
  }
  return peers
}

/**
 * The highest priority among a unit, those who would lose their place with it, and those whose place it has
 * taken: one of them would drive away again whoever came for it, and so on for ever.
 */
function highestWith(unit: SchedulerUnit, fleet: FleetState): number {
  let highest = unit.rules.priority
  const names = new Set([unit.name])
  for (const name of names) {
    const other = fleet.unit(name)
    if (other?.wanted === true) highest = Math.max(highest, other.rules.priority)
    for (const next of fleet.followers.of(name)) names.add(next)
    for (const next of fleet.replacements.victimsOf(name)) names.add(next)
  }
  return highest
}

/** Of a kind that asks for so many to be available, one at a time yields. */
const isFirstToGo = ({ name, rules }: SchedulerUnit, before: readonly SchedulerUnit[]): boolean =>
  rules.minAvailable === 0 || !before.some((other) => isKin(other.name, name))

function compare(unit: SchedulerUnit, fleet: FleetState, a: Preemption, b: Preemption): number {
  return (
    highest(a) - highest(b) ||
    a.victims.length - b.victims.length ||
    choiceFor(unit, fleet)(a.state, b.state)
  )
}

const highest = ({ victims }: Preemption): number =>
  Math.max(...victims.map(({ rules }) => rules.priority))
