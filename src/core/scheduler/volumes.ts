/**
 * Where volumes are: where records say so, and where units are that use them. A volume that a plan takes a
 * unit away from is there for the rest of that plan.
 *
 * Invariant: a count is never zero, and a volume is listed while somebody holds it.
 */
import type { MachineId } from '../../base/ids.ts'
import type { SchedulerUnit, SchedulerVolume } from './types.ts'

export class Volumes {
  /** By name: for how many reasons it is on each machine. */
  readonly #holders = new Map<string, Map<MachineId, number>>()
  /** `machine/name`, of those that a record says. */
  readonly #said = new Set<string>()
  #lingering: SchedulerVolume[] = []

  /** Where the volume is; nowhere, if it was never made. */
  holdersOf(volume: string): ReadonlyMap<MachineId, number> {
    return this.#holders.get(volume) ?? nowhere
  }

  /** A record says that it is there. */
  say({ name, machine }: SchedulerVolume): void {
    if (this.#said.has(`${machine}/${name}`)) return
    this.#said.add(`${machine}/${name}`)
    this.#add(name, machine, 1)
  }

  /** The record is gone. */
  unsay({ name, machine }: SchedulerVolume): void {
    if (this.#said.delete(`${machine}/${name}`)) this.#add(name, machine, -1)
  }

  use({ needs }: SchedulerUnit, machine: MachineId): void {
    for (const name of needs.volumes ?? []) this.#add(name, machine, 1)
  }

  leave({ needs }: SchedulerUnit, machine: MachineId): void {
    for (const name of needs.volumes ?? []) this.#lingering.push({ name, machine })
  }

  /** Of a unit that has left in this plan, and had never come to use them there. */
  unmake({ needs }: SchedulerUnit, machine: MachineId): void {
    for (const name of needs.volumes ?? []) {
      const at = this.#lingering.findLastIndex(
        (one) => one.name === name && one.machine === machine,
      )
      if (at < 0) continue
      this.#lingering.splice(at, 1)
      this.#add(name, machine, -1)
    }
  }

  planBegins(): void {
    for (const { name, machine } of this.#lingering) this.#add(name, machine, -1)
    this.#lingering = []
  }

  #add(name: string, machine: MachineId, by: 1 | -1): void {
    const there = this.#holders.get(name) ?? new Map<MachineId, number>()
    const count = (there.get(machine) ?? 0) + by
    if (count === 0) there.delete(machine)
    else there.set(machine, count)
    if (there.size === 0) this.#holders.delete(name)
    else this.#holders.set(name, there)
  }
}

const nowhere: ReadonlyMap<MachineId, number> = new Map()
