/** Lets a bounded number in at a time, in the order in which they came. */
import { assert } from '../../base/assert.ts'

export class Gate {
  #capacity: number
  /** Invariant: nobody waits while fewer are inside than may be. */
  #inside = 0
  readonly #waiting: (() => void)[] = []

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a gate lets somebody in')
    this.#capacity = capacity
  }

  get capacity(): number {
    return this.#capacity
  }

  /** When it grows, whoever waits comes in; when it shrinks, those inside stay until they leave. */
  resize(capacity: number): void {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a gate lets somebody in')
    this.#capacity = capacity
    this.#letIn()
  }

  /** Runs `work` once there is room. Whoever gives up waiting finds `signal` aborted inside. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#capacity) this.#inside += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      this.#inside -= 1
      this.#letIn()
    }
  }

  /** Their places are taken for them before they run: nobody slips in between. */
  #letIn(): void {
    while (this.#inside < this.#capacity) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#inside += 1
      next()
    }
  }
}
