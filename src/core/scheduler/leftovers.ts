/**
 * What was taken off machines and is not gone: what the store says of it, and where something of a unit
 * holds room.
 *
 * Invariant: a machine on which `Room.isLeaving` holds for a unit is among those that are noted for it.
 */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { Needs } from '../../base/room.ts'
import type { MachineState } from './machine-state.ts'
import { noNeeds } from './room.ts'
import type { SchedulerLeaving } from './types.ts'

export class Leftovers {
  readonly #said = new Map<MachineId, Map<UnitName, Needs>>()
  readonly #holding = new Map<UnitName, ReadonlySet<MachineState>>()

  /** The store says that it holds what it had. */
  say({ unit, machine, needs }: SchedulerLeaving): void {
    const there = this.#said.get(machine) ?? new Map<UnitName, Needs>()
    this.#said.set(machine, there.set(unit, needs))
  }

  /** The store says that it is gone. */
  unsay({ unit, machine }: Pick<SchedulerLeaving, 'unit' | 'machine'>): void {
    const there = this.#said.get(machine)
    there?.delete(unit)
    if (there?.size === 0) this.#said.delete(machine)
  }

  /** Of which units the store says so. */
  saidOf(machine: MachineId): readonly UnitName[] {
    return [...(this.#said.get(machine)?.keys() ?? [])]
  }

  /** Where the unit is not placed, its room is what the store says of it, or none. */
  hold(name: UnitName, state: MachineState): void {
    if (state.units.has(name)) return
    const needs = this.#said.get(state.machine.id)?.get(name) ?? noNeeds
    state.room.take({ name, needs })
    state.room.leave({ name, needs })
    this.note(name, state)
  }

  /** After something of the unit has come to hold room there, or holds none any more. */
  note(name: UnitName, state: MachineState): void {
    const holding = new Set([...(this.#holding.get(name) ?? []), state])
    for (const each of holding) if (!each.room.isLeaving(name)) holding.delete(each)
    if (holding.size === 0) this.#holding.delete(name)
    else this.#holding.set(name, holding)
  }

  /** Something of the unit holds room where it is no more: that stands in nobody's way but others'. */
  has(name: UnitName): boolean {
    for (const { room } of this.#holding.get(name) ?? []) if (room.isLeaving(name)) return true
    return false
  }

  forgetMachine(state: MachineState): void {
    for (const { name } of state.room.leaving) {
      const others = [...(this.#holding.get(name) ?? [])].filter((each) => each !== state)
      if (others.length === 0) this.#holding.delete(name)
      else this.#holding.set(name, new Set(others))
    }
  }
}
