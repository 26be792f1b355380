/** Where the instances of each template are, counted by the labels of their machines. */
import type { UnitName } from '../../base/ids.ts'
import type { SchedulerMachine } from './types.ts'

/** `web@` for `web@3.service`; undefined for a unit that is no instance. */
export const kindOf = (unit: UnitName): string | undefined => {
  const at = unit.indexOf('@')
  return at < 0 ? undefined : unit.slice(0, at + 1)
}

/** Instances of one template. */
export const isKin = (a: UnitName, b: UnitName): boolean =>
  a === b || (kindOf(a) !== undefined && kindOf(a) === kindOf(b))

/** The units of each kind. */
export class Kin {
  readonly #names = new Map<string, Set<UnitName>>()

  /** The unit and, if it is an instance, all of its template. */
  of(name: UnitName): Iterable<UnitName> {
    return this.#names.get(kindOf(name) ?? '') ?? [name]
  }

  add(name: UnitName): void {
    const kind = kindOf(name)
    if (kind === undefined) return
    const kin = this.#names.get(kind)
    if (kin === undefined) this.#names.set(kind, new Set([name]))
    else kin.add(name)
  }

  delete(name: UnitName): void {
    const kind = kindOf(name) ?? ''
    const kin = this.#names.get(kind)
    kin?.delete(name)
    if (kin?.size === 0) this.#names.delete(kind)
  }
}

/**
 * Only what is asked for is counted: a kind from its first question on, label by label.
 *
 * Invariants: only ready machines are in it; a count is never zero; a kind is in it while one of it is placed.
 */
export class Kinds {
  /** By kind: how many each machine has. */
  readonly #machines = new Map<string, Map<SchedulerMachine, number>>()
  /** By kind, then label, then value. */
  readonly #counts = new Map<string, Map<string, Map<string | undefined, number>>>()

  put(kind: string, machine: SchedulerMachine): void {
    this.#add(kind, machine, 1)
  }

  remove(kind: string, machine: SchedulerMachine): void {
    this.#add(kind, machine, -1)
  }

  /** How many there are on machines with each value of `label`; a value without one is left out. */
  byValue(kind: string, label: string): ReadonlyMap<string | undefined, number> {
    const machines = this.#machines.get(kind)
    if (machines === undefined) return nothing
    const labels = this.#counts.get(kind) ?? new Map<string, Map<string | undefined, number>>()
    this.#counts.set(kind, labels)
    const known = labels.get(label)
    if (known !== undefined) return known
    const counts = new Map<string | undefined, number>()
    for (const [machine, count] of machines) bump(counts, machine.metadata[label], count)
    labels.set(label, counts)
    return counts
  }

  #add(kind: string, machine: SchedulerMachine, by: 1 | -1): void {
    const machines = this.#machines.get(kind) ?? new Map<SchedulerMachine, number>()
    bump(machines, machine, by)
    if (machines.size === 0) {
      this.#machines.delete(kind)
      this.#counts.delete(kind)
      return
    }
    this.#machines.set(kind, machines)
    for (const [label, counts] of this.#counts.get(kind) ?? []) {
      bump(counts, machine.metadata[label], by)
    }
  }
}

const nothing: ReadonlyMap<string | undefined, number> = new Map()

function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
