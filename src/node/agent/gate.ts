/** Lets a bounded number in at a time, in the order in which they came. */
import { assert } from '../../base/assert.ts'

export class Gate {
  readonly #capacity: number
  /** Invariant: 0 <= inside <= capacity, and nobody waits while there is room. */
  #inside = 0
  readonly #waiting: (() => void)[] = []

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a gate lets somebody in')
    this.#capacity = capacity
  }

  /** Runs `work` once there is room. Whoever gives up waiting finds `signal` aborted inside. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#capacity) this.#inside += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    assert(this.#inside <= this.#capacity, 'a gate keeps its bound')
    try {
      return await work()
    } finally {
      // The place is handed on, not given back and taken again: nobody slips in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#inside -= 1
      else next()
    }
  }
}
