/** Of which units the store says that something may be on a machine: their states, and what they hold. */
import type { MachineId, UnitName } from '../../base/ids.ts'
import { leaving, states } from '../../core/records/keyspace.ts'
import { listAll } from '../member/follow.ts'
import type { StoreAccess } from '../member/store-access.ts'

export async function rememberedUnits(store: StoreAccess, machine: MachineId): Promise<string[]> {
  const said = await listAll(store, states.under(machine), 'local')
  const left = await listAll(store, leaving.under(machine), 'local')
  const units = [
    ...said.items.map((item) => states.read(item)?.value.unit),
    ...left.items.map((item) => leaving.read(item)?.value.unit),
  ]
  return units.filter((unit) => unit !== undefined)
}

/**
 * Units whose placements went, to be told of as gone once nothing of them is left: of one that came and
 * went between two looks nothing else would be said, and the leader waits for its end.
 */
export class TakenOff {
  readonly #units = new Set<UnitName>()

  note(unit: UnitName): void {
    this.#units.add(unit)
  }

  /** Each once; `here` are those of which there is something to say. */
  gone(
    placed: ReadonlyMap<UnitName, unknown>,
    here: ReadonlyMap<UnitName, unknown>,
  ): readonly UnitName[] {
    const gone = [...this.#units].filter((unit) => !placed.has(unit) && !here.has(unit))
    for (const unit of this.#units) {
      if (placed.has(unit) || !here.has(unit)) this.#units.delete(unit)
    }
    return gone
  }
}
