/**
 * The ready machines in the order in which a unit tries them: fewest units first, then by rank.
 *
 * Invariants: a rank stands at one load at most; no load without a rank is listed; `#loads` is sorted.
 */
import { assert, present } from '../../base/assert.ts'
import { Bits } from './bits.ts'

interface Level {
  readonly bits: Bits
  count: number
}

export class LoadOrder {
  readonly #size: number
  readonly #levels = new Map<number, Level>()
  readonly #loads: number[] = []

  constructor(size: number) {
    this.#size = size
  }

  add(rank: number, load: number): void {
    const known = this.#levels.get(load)
    if (known !== undefined) {
      assert(!known.bits.has(rank), 'a machine stands in the order once')
      known.bits.add(rank)
      known.count += 1
      return
    }
    const level = { bits: new Bits(this.#size), count: 1 }
    level.bits.add(rank)
    this.#levels.set(load, level)
    const at = this.#loads.findIndex((other) => other > load)
    this.#loads.splice(at < 0 ? this.#loads.length : at, 0, load)
  }

  delete(rank: number, load: number): void {
    const level = present(this.#levels.get(load), 'the machines with so many units')
    assert(level.bits.has(rank), 'a ready machine stands at its place in the order')
    level.bits.delete(rank)
    level.count -= 1
    if (level.count > 0) return
    this.#levels.delete(load)
    this.#loads.splice(this.#loads.indexOf(load), 1)
  }

  /** How many of `among` are in it. */
  count(among: Bits | undefined): number {
    let count = 0
    for (const level of this.#levels.values()) {
      count += among === undefined ? level.count : level.bits.countWith(among)
    }
    return count
  }

  /** The first one, of those in `among`, that `accept` takes; -1 when there is none. */
  first(among: Bits | undefined, accept: (rank: number) => boolean): number {
    for (const load of this.#loads) {
      const level = this.#levels.get(load) as Level
      const found = level.bits.firstWith(among, accept)
      if (found >= 0) return found
    }
    return -1
  }
}
