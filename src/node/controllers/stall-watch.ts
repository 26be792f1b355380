/**
 * Whether this process stood still: its loop was held up, or the whole machine was suspended. What
 * it did not hear meanwhile is nobody's silence; some of it lies in a socket and is not read yet.
 */
import type { Clock } from '../../ports/clock.ts'
import { sleep } from '../../ports/clock.ts'

const everyMs = 100
/** Half a pulse's interval: shorter stalls are well within what a machine may be silent. */
const stallMs = 250

export class StallWatch {
  readonly #clock: Clock
  #lookedMs: number
  #endedMs = -Infinity
  #stoodMs = 0

  /** Watches until `signal`. */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#lookedMs = clock.monotonicMs()
    void this.#run(signal)
  }

  /** After a stall as long again is needed to hear the others, `maxMs` at most; 0 when it is over. */
  doubtfulForMs(maxMs: number): number {
    const nowMs = this.#look()
    return Math.max(0, this.#endedMs + Math.min(this.#stoodMs, maxMs) - nowMs)
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#clock, everyMs, signal)
      this.#look()
    }
  }

  #look(): number {
    const nowMs = this.#clock.monotonicMs()
    const stoodMs = nowMs - this.#lookedMs - everyMs
    if (stoodMs > stallMs) {
      this.#endedMs = nowMs
      this.#stoodMs = stoodMs
    }
    this.#lookedMs = nowMs
    return nowMs
  }
}
