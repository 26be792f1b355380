/** Where the instances of each template are, counted by the labels of their machines. */
import type { UnitName } from '../../base/ids.ts'
import type { SchedulerMachine } from './types.ts'

/** `web@` for `web@3.service`; a unit that is no instance is of a kind of its own. */
export const kindOf = (unit: UnitName): string => {
  const at = unit.indexOf('@')
  return at < 0 ? unit : unit.slice(0, at + 1)
}

/**
 * Only what is asked for is counted: a kind from its first question on, label by label.
 *
 * Invariants: only ready machines are in it; a count is never zero.
 */
export class Kinds {
  /** By kind: how many each machine has. */
  readonly #machines = new Map<string, Map<SchedulerMachine, number>>()
  /** By kind, then label, then value. */
  readonly #counts = new Map<string, Map<string, Map<string | undefined, number>>>()

  put(unit: UnitName, machine: SchedulerMachine): void {
    this.#add(kindOf(unit), machine, 1)
  }

  remove(unit: UnitName, machine: SchedulerMachine): void {
    this.#add(kindOf(unit), machine, -1)
  }

  count(unit: UnitName, label: string, machine: SchedulerMachine): number {
    return this.#byLabel(kindOf(unit), label).get(machine.metadata[label]) ?? 0
  }

  #add(kind: string, machine: SchedulerMachine, by: 1 | -1): void {
    if (machine.status !== 'ready') return
    const machines = this.#machines.get(kind)
    if (machines === undefined) this.#machines.set(kind, new Map([[machine, by]]))
    else bump(machines, machine, by)
    for (const [label, counts] of this.#counts.get(kind) ?? []) {
      bump(counts, machine.metadata[label], by)
    }
  }

  #byLabel(kind: string, label: string): ReadonlyMap<string | undefined, number> {
    const labels = this.#counts.get(kind) ?? new Map<string, Map<string | undefined, number>>()
    this.#counts.set(kind, labels)
    const known = labels.get(label)
    if (known !== undefined) return known
    const counts = new Map<string | undefined, number>()
    for (const [machine, count] of this.#machines.get(kind) ?? []) {
      bump(counts, machine.metadata[label], count)
    }
    labels.set(label, counts)
    return counts
  }
}

function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
