/** A unit as the planner knows it: where it is, and which sets of `Standing` it is in. */
import type { MachineId } from '../../base/ids.ts'
import { kindOf } from './kinds.ts'
import type { SchedulerUnit } from './types.ts'

const nowhere: ReadonlySet<MachineId> = new Set()

export class KnownUnit {
  unit: SchedulerUnit
  /** As `kindOf` its name has it. */
  readonly kind: string | undefined
  /** As of the last `Standing.sort`. */
  standing = 0
  /** Most units are on one machine, and share that machine's set: a set for each of them weighs. */
  #places = nowhere
  #own: Set<MachineId> | undefined

  constructor(unit: SchedulerUnit) {
    this.unit = unit
    this.kind = kindOf(unit.name)
  }

  get places(): ReadonlySet<MachineId> {
    return this.#places
  }

  /** `alone`: a set of nothing but `machine`, which nobody changes. */
  add(machine: MachineId, alone: ReadonlySet<MachineId>): void {
    if (this.#own === undefined && this.#places.size === 0) {
      this.#places = alone
      return
    }
    this.#own ??= new Set(this.#places)
    this.#own.add(machine)
    this.#places = this.#own
  }

  delete(machine: MachineId): void {
    if (this.#own !== undefined) this.#own.delete(machine)
    else if (this.#places.has(machine)) this.#places = nowhere
  }
}
