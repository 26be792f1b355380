/** Units that are to leave the machine where they are, their replacement first. */
import type { MachineId, UnitName } from '../../base/ids.ts'

export class Movers {
  /** `machine/unit`. */
  readonly #places = new Set<string>()

  get size(): number {
    return this.#places.size
  }

  has(unit: UnitName, machine: MachineId): boolean {
    return this.#places.size > 0 && this.#places.has(`${machine}/${unit}`)
  }

  set(unit: UnitName, machine: MachineId, moves: boolean): void {
    if (moves) this.#places.add(`${machine}/${unit}`)
    else if (this.#places.size > 0) this.#places.delete(`${machine}/${unit}`)
  }
}
