/** Pairs of names, found by either of them. */

export class Pairs {
  readonly #byFirst = new Map<string, Set<string>>()
  readonly #bySecond = new Map<string, Set<string>>()

  /** Adds the pair, or takes it away. */
  set(first: string, second: string, isThere: boolean): void {
    put(this.#byFirst, first, second, isThere)
    put(this.#bySecond, second, first, isThere)
  }

  /** In the order in which they were added. */
  secondsOf(first: string): Iterable<string> {
    return this.#byFirst.get(first) ?? []
  }

  firstsOf(second: string): Iterable<string> {
    return this.#bySecond.get(second) ?? []
  }
}

function put(sets: Map<string, Set<string>>, key: string, value: string, isThere: boolean): void {
  const set = sets.get(key) ?? new Set<string>()
  if (isThere) set.add(value)
  else set.delete(value)
  if (set.size === 0) sets.delete(key)
  else sets.set(key, set)
}
