/**
 * When each machine was last heard, as one voter knows it. Every voter keeps one; a new leader
 * merges those of all voters it can reach, so that an election makes nobody look dead.
 */
import { assert } from '../../base/assert.ts'
import type { MachineId } from '../../base/ids.ts'

/** More machines than the product is made for; beyond it, the longest unchanged is forgotten. */
export const maxPulsingMachines = 20_000

/** How long ago a machine was heard: ages, because monotonic clocks share no zero. */
export interface PulseAge {
  readonly machine: MachineId
  readonly ageMs: number
}

/** Invariant: a machine's time only grows. The map is in order of the last change. */
export class PulseTable {
  readonly #heardAtMs = new Map<MachineId, number>()

  heard(machine: MachineId, atMs: number): void {
    const before = this.#heardAtMs.get(machine)
    if (before !== undefined && before >= atMs) return
    this.#heardAtMs.delete(machine)
    this.#heardAtMs.set(machine, atMs)
    if (this.#heardAtMs.size > maxPulsingMachines) {
      const oldest = this.#heardAtMs.keys().next()
      if (oldest.done !== true) this.#heardAtMs.delete(oldest.value)
    }
  }

  heardAtMs(machine: MachineId): number | undefined {
    return this.#heardAtMs.get(machine)
  }

  /** Those heard within `windowMs`: older ones say nothing that absence does not. */
  ages(nowMs: number, windowMs: number): PulseAge[] {
    const ages: PulseAge[] = []
    for (const [machine, atMs] of this.#heardAtMs) {
      assert(atMs <= nowMs, 'nothing is heard in the future')
      if (nowMs - atMs <= windowMs) ages.push({ machine, ageMs: nowMs - atMs })
    }
    return ages
  }

  /** Takes what another voter told. Its travel makes a machine look younger, never older. */
  merge(ages: readonly PulseAge[], nowMs: number): void {
    for (const { machine, ageMs } of ages) {
      if (ageMs >= 0) this.heard(machine, nowMs - ageMs)
    }
  }

  forget(machine: MachineId): void {
    this.#heardAtMs.delete(machine)
  }
}
