/**
 * A seeded generator (xoshiro128**, Blackman and Vigna 2018) for the simulation, jitter and
 * tests. Never for keys, tokens or nonces: those come from `ports/Entropy`.
 */
import { assert } from './assert.ts'

export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #d: number

  /** Any safe integer is a seed; close seeds give unrelated sequences (SplitMix32 spreads them). */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), 'a seed is a safe integer')
    let state = (seed ^ Math.floor(seed / 0x1_0000_0000)) >>> 0
    const split = (): number => {
      state = (state + 0x9e3779b9) >>> 0
      let z = state
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return (z ^ (z >>> 16)) >>> 0
    }
    this.#a = split()
    this.#b = split()
    this.#c = split()
    this.#d = split() | 1
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k))
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = rotate(this.#d, 11)
    return result
  }

  /** A uniform number in [0, 1) with 32 bits of resolution. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** A uniform integer in [min, max], both included. */
  integer(min: number, max: number): number {
    assert(Number.isSafeInteger(min) && Number.isSafeInteger(max), 'bounds are safe integers')
    assert(max >= min && max - min < 0x1_0000_0000, 'the range is not empty and fits 32 bits')
    return min + Math.floor(this.fraction() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'there is something to pick from')
    return items[this.integer(0, items.length - 1)] as T
  }

  /** A new array with the items of `items` in random order (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i -= 1) {
      const j = this.integer(0, i)
      const held = shuffled[i] as T
      shuffled[i] = shuffled[j] as T
      shuffled[j] = held
    }
    return shuffled
  }

  /** A generator of its own, so that one consumer's draws do not shift another's. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32())
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let i = 0; i < length; i += 1) out[i] = this.uint32() & 0xff
    return out
  }
}
