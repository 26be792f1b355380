/**
 * How many units of a kind (instances of one template) are there to do its work, while a plan is made.
 * `MinAvailable=` holds back whoever would leave without need: for a higher priority, or before its
 * replacement runs. It cannot hold back what a rule, a lost machine or a deadline takes away.
 */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { FleetState } from './fleet-state.ts'
import { kindOf } from './kinds.ts'
import type { SchedulerUnit } from './types.ts'

export class Availability {
  readonly #fleet: FleetState
  readonly #runs: ReadonlyMap<string, boolean>
  /** By kind: the units that are available, and where. Made when it is first asked for. */
  readonly #kinds = new Map<string, Map<UnitName, Set<MachineId>>>()
  /** By this plan: they do no work yet. */
  readonly #placed: { readonly name: UnitName; readonly machine: MachineId }[] = []

  /** `runs`: by `machine/unit`, whether it does its work there, where somebody has asked. */
  constructor(fleet: FleetState, runs: ReadonlyMap<string, boolean>) {
    this.#fleet = fleet
    this.#runs = runs
  }

  /** Whether enough of its kind are there without it. */
  mayGo({ name, rules }: SchedulerUnit): boolean {
    if (rules.minAvailable === 0) return true
    const kind = this.#kindOf(name)
    return kind.size - (kind.has(name) ? 1 : 0) >= rules.minAvailable
  }

  came({ name }: SchedulerUnit, machine: MachineId): void {
    this.#placed.push({ name, machine })
  }

  went({ name }: SchedulerUnit, machine: MachineId): void {
    const kind = this.#kinds.get(kindOf(name) ?? name)
    const places = kind?.get(name)
    if (places?.delete(machine) === true && places.size === 0) kind?.delete(name)
  }

  #kindOf(name: UnitName): Map<UnitName, Set<MachineId>> {
    const kind = kindOf(name) ?? name
    const known = this.#kinds.get(kind)
    if (known !== undefined) return known
    const available = new Map<UnitName, Set<MachineId>>()
    const placed = new Set(this.#placed.map((each) => `${each.machine}/${each.name}`))
    for (const kin of this.#fleet.kinOf(name)) {
      const places = [...this.#fleet.placesOf(kin)].filter((id) => {
        return !placed.has(`${id}/${kin}`) && this.#isAvailable(kin, id)
      })
      if (places.length > 0) available.set(kin, new Set(places))
    }
    this.#kinds.set(kind, available)
    return available
  }

  #isAvailable(name: UnitName, id: MachineId): boolean {
    const isReady = this.#fleet.machines.get(id)?.machine.status === 'ready'
    return isReady && this.#runs.get(`${id}/${name}`) !== false
  }
}
