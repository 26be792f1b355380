/** Work on the main thread in stretches, between which its loop sees to others: elections wait for nobody. */
import { type Clock, sleep } from './clock.ts'

/** After so long the loop sees to others. */
const stretchMs = 3

export class Stretches {
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  #sinceMs: number

  /** Who waits for the work stops resting when `signal` is aborted, and sees to it that it ends. */
  constructor(clock: Clock, signal?: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
    this.#sinceMs = clock.monotonicMs()
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() - this.#sinceMs >= stretchMs
  }

  async rest(): Promise<void> {
    await sleep(this.#clock, 0, this.#signal)
    this.#sinceMs = this.#clock.monotonicMs()
  }

  /** What `parts` returns. It yields where it may be left for a while. */
  async through<T>(parts: Generator<undefined, T>): Promise<T> {
    for (;;) {
      const part = parts.next()
      if (part.done === true) return part.value
      if (this.isOver) await this.rest()
    }
  }
}
