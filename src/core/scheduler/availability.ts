/**
 * How many units of a kind (instances of one template) are there to do its work, while a plan is made.
 * `MinAvailable=` holds back whoever would leave without need: for a higher priority, or before its
 * replacement runs. It cannot hold back what a rule, a lost machine or a deadline takes away.
 */
import type { MachineId, UnitName } from '../../base/ids.ts'
import { kindOf } from './kinds.ts'
import type { SchedulerUnit, Snapshot } from './types.ts'

export class Availability {
  /** By kind: the units that are available, and where. Only of kinds that ask for it. */
  readonly #kinds = new Map<string, Map<UnitName, Set<MachineId>>>()

  constructor({ machines, units, placements }: Snapshot) {
    for (const { name, wanted, rules } of units) {
      if (wanted && rules.minAvailable > 0) this.#kinds.set(kindOf(name), new Map())
    }
    if (this.#kinds.size === 0) return
    const ready = new Set(machines.flatMap(({ id, status }) => (status === 'ready' ? [id] : [])))
    for (const { unit, machine, runs, fence } of placements) {
      const isThere = ready.has(machine) && runs !== false && fence?.isLeaving !== true
      const kind = this.#kinds.get(kindOf(unit))
      if (!isThere || kind === undefined) continue
      const places = kind.get(unit)
      if (places === undefined) kind.set(unit, new Set([machine]))
      else places.add(machine)
    }
  }

  /** Whether enough of its kind are there without it. */
  mayGo({ name, rules }: SchedulerUnit): boolean {
    const kind = this.#kinds.get(kindOf(name))
    if (kind === undefined) return true
    return kind.size - (kind.has(name) ? 1 : 0) >= rules.minAvailable
  }

  went({ name }: SchedulerUnit, machine: MachineId): void {
    const kind = this.#kinds.get(kindOf(name))
    const places = kind?.get(name)
    if (places?.delete(machine) === true && places.size === 0) kind?.delete(name)
  }
}
