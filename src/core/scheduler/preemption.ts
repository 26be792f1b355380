/**
 * Whom a unit with a high `Priority=` may drive from a machine that has no room for it. Only room is
 * fought for: no rule is broken for a priority, and nobody yields to one that is only a little higher.
 */
import { compareFor } from './choice.ts'
import type { FleetState, MachineState } from './fleet-state.ts'
import { isRoomComing, roomObstacle } from './room.ts'
import { standingObstacle } from './rules.ts'
import type { SchedulerUnit } from './types.ts'

/** So much lower a priority must be to yield (Nomad's number): units of one rank stay in peace. */
export const yieldsBelow = 10

export interface Preemption {
  readonly state: MachineState
  /** In the order in which they leave. */
  readonly victims: readonly SchedulerUnit[]
}

/**
 * Where fewest of the least have to leave; undefined when that would not help either. Global units
 * never yield: they have no other place.
 */
export function preemptionFor(unit: SchedulerUnit, fleet: FleetState): Preemption | undefined {
  let best: Preemption | undefined
  for (const state of fleet.candidates) {
    if (state.machine.drain !== 'none') continue
    if (standingObstacle(unit, state, fleet) !== undefined) continue
    // Somebody has gone for it already, or by himself: it waits for that, and drives nobody else away.
    if (isRoomComing(unit, state.machine.capacity, state.room)) return undefined
    const victims = victimsOn(unit, state)
    if (victims === undefined) continue
    const found = { state, victims }
    if (best === undefined || compare(unit, fleet, found, best) < 0) best = found
  }
  return best
}

/** The fewest of lowest priority without whom there is room; undefined when there is none even so. */
function victimsOn(unit: SchedulerUnit, state: MachineState): SchedulerUnit[] | undefined {
  const fits = (leaving: readonly SchedulerUnit[]): boolean =>
    roomObstacle(unit, state.machine.capacity, state.room, leaving) === undefined
  const lower = [...state.units.values()]
    .filter(({ rules, name }) => {
      const isPeer = unit.rules.machineOf.includes(name)
      return !rules.global && !isPeer && rules.priority <= unit.rules.priority - yieldsBelow
    })
    .toSorted((a, b) => a.rules.priority - b.rules.priority || (a.name < b.name ? -1 : 1))
  const leaving: SchedulerUnit[] = []
  for (const other of lower) {
    if (fits(leaving)) break
    leaving.push(other)
  }
  if (!fits(leaving)) return undefined
  // Those at the front may have left in vain: what the last one took was enough.
  for (const other of leaving.toReversed()) {
    const without = leaving.filter((one) => one !== other)
    if (fits(without)) leaving.splice(leaving.indexOf(other), 1)
  }
  return leaving
}

function compare(unit: SchedulerUnit, fleet: FleetState, a: Preemption, b: Preemption): number {
  return (
    highest(a) - highest(b) ||
    a.victims.length - b.victims.length ||
    compareFor(unit, fleet, a.state, b.state)
  )
}

const highest = ({ victims }: Preemption): number =>
  Math.max(...victims.map(({ rules }) => rules.priority))
