/** Placements of which the same is true. */
import type { MachineId, UnitName } from '../../base/ids.ts'

export class PlaceSet {
  /** By `machine/unit`. */
  readonly #places = new Map<string, { readonly unit: UnitName; readonly machine: MachineId }>()

  get size(): number {
    return this.#places.size
  }

  has(unit: UnitName, machine: MachineId): boolean {
    return this.#places.size > 0 && this.#places.has(`${machine}/${unit}`)
  }

  set(unit: UnitName, machine: MachineId, isSo: boolean): void {
    if (isSo) this.#places.set(`${machine}/${unit}`, { unit, machine })
    else if (this.#places.size > 0) this.#places.delete(`${machine}/${unit}`)
  }

  values(): Iterable<{ readonly unit: UnitName; readonly machine: MachineId }> {
    return this.#places.values()
  }
}
