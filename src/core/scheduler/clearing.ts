/** What a plan looks at before it places anything, in the order in which it does. */
import type { Needs } from '../../base/room.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import { byTurn } from './order.ts'
import type { SchedulerPlacement, SchedulerUnit } from './types.ts'

export interface Placed {
  readonly unit: SchedulerUnit
  readonly state: MachineState
}

/** Placements of what is unknown, not wanted, or told to stop for good: by unit, then machine. */
export function unwelcomeIn(fleet: FleetState): SchedulerPlacement[] {
  const found = [...fleet.loose.values(), ...fleet.stopping.values()]
  for (const { name } of fleet.standing.unwanted) {
    for (const machine of fleet.placesOf(name)) found.push({ unit: name, machine })
  }
  return found.toSorted((a, b) =>
    a.unit === b.unit ? (a.machine < b.machine ? -1 : 1) : a.unit < b.unit ? -1 : 1,
  )
}

/** What is left on machines whose time to drain is up, but for global units. */
export function hurriedIn(fleet: FleetState): Placed[] {
  const isLeft = ({ unit }: Placed): boolean => unit.wanted && !unit.rules.global
  return unitsOn(fleet.drains.hurried).filter(isLeft).toSorted(highestFirst)
}

/** Units on ready machines to which they came under another file, with what that one asked for; the lowest first. */
export function renewedIn(fleet: FleetState): (Placed & { readonly before: Needs })[] {
  const found = [...fleet.renewed.values()].flatMap(({ unit: name, machine, before }) => {
    const state = fleet.machines.get(machine)
    const unit = state?.units.get(name)
    const isThere = unit?.wanted === true && state?.machine.status === 'ready'
    return isThere ? [{ unit, state, before }] : []
  })
  return found.toSorted((a, b) => byTurn(b.unit, a.unit))
}

export const lowestFirst = (states: Iterable<MachineState>): Placed[] =>
  unitsOn(states).toSorted((a, b) => byTurn(b.unit, a.unit) || byMachine(a, b))

const highestFirst = (a: Placed, b: Placed): number => byTurn(a.unit, b.unit) || byMachine(a, b)

const byMachine = (a: Placed, b: Placed): number =>
  a.state.machine.id < b.state.machine.id ? -1 : 1

const unitsOn = (states: Iterable<MachineState>): Placed[] =>
  [...states].flatMap((state) => [...state.units.values()].map((unit) => ({ unit, state })))
