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

  /** `kind`: the name's own. */
  add(name: UnitName, kind: string | undefined): void {
    if (kind === undefined) return
    const kin = this.#names.get(kind)
    if (kin === undefined) this.#names.set(kind, new Set([name]))
    else kin.add(name)
  }

  delete(name: UnitName, kind: string | undefined): void {
    if (kind === undefined) return
    const kin = this.#names.get(kind)
    kin?.delete(name)
    if (kin?.size === 0) this.#names.delete(kind)
  }
}

/**
 * Only what is asked for is counted, label by label, from the first question on.
 *
 * Invariants: only ready machines are counted; a count is never zero.
 */
export class Kinds {
  /** By kind, then label, then value. */
  readonly #counts = new Map<string, Map<string, Map<string | undefined, number>>>()

  put(kind: string, machine: SchedulerMachine): void {
    for (const [label, counts] of this.#counts.get(kind) ?? nothing) {
      bump(counts, machine.metadata[label], 1)
    }
  }

  remove(kind: string, machine: SchedulerMachine): void {
    const labels = this.#counts.get(kind)
    for (const [label, counts] of labels ?? nothing) {
      bump(counts, machine.metadata[label], -1)
      // Of a kind of which none is left nothing is kept; should one come again, it is counted again.
      if (counts.size === 0) labels?.delete(label)
    }
    if (labels?.size === 0) this.#counts.delete(kind)
  }

  /**
   * How many there are on machines with each value of `label`; a value without one is left out.
   * `machines`: those of the kind, for each placement once.
   */
  byValue(
    kind: string,
    label: string,
    machines: Iterable<SchedulerMachine>,
  ): ReadonlyMap<string | undefined, number> {
    const labels = this.#counts.get(kind) ?? new Map<string, Map<string | undefined, number>>()
    const known = labels.get(label)
    if (known !== undefined) return known
    const counts = counted(machines, label)
    if (counts.size === 0) return counts
    labels.set(label, counts)
    this.#counts.set(kind, labels)
    return counts
  }
}

const nothing: ReadonlyMap<string, Map<string | undefined, number>> = new Map()

/** How many of `machines` have each value of `label`. */
export function counted(
  machines: Iterable<SchedulerMachine>,
  label: string,
): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>()
  for (const { metadata } of machines) bump(counts, metadata[label], 1)
  return counts
}

/** `counts` without those of `others`, who are among them. */
export function less<K>(
  counts: ReadonlyMap<K, number>,
  others: ReadonlyMap<K, number>,
): Map<K, number> {
  const left = new Map(counts)
  for (const [key, count] of others) bump(left, key, -count)
  return left
}

function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
