/**
 * Whether this process stood still: its loop was held up, or the whole machine was suspended. What
 * it did not hear meanwhile is nobody's silence; some of it lies in a socket and is not read yet.
 */
import type { Clock } from '../../ports/clock.ts'
import { sleep } from '../../ports/clock.ts'

const everyMs = 100
/** A pulse's interval: shorter stalls are well within what a machine may be silent. */
const stallMs = 250
/** With the pulse before it, still less than what a machine may be silent. */
const longStallMs = 800

export class StallWatch {
  readonly #clock: Clock
  #lookedMs: number
  #doubtUntilMs = -Infinity
  /** The awake time in doubt since nothing was last in doubt, or since a long stall. */
  #doubtedMs = 0

  /** Watches until `signal`. */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#lookedMs = clock.monotonicMs()
    void this.#run(signal)
  }

  /**
   * After a stall as long again is needed to hear the others, `maxMs` at most; 0 when it is over.
   * Whoever stands still for short whiles again and again hears them in between: it is in doubt
   * for `maxMs` altogether, or it would never decide.
   */
  doubtfulForMs(maxMs: number): number {
    const nowMs = this.#look()
    return Math.max(0, Math.min(this.#doubtUntilMs - nowMs, maxMs - this.#doubtedMs))
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#clock, everyMs, signal)
      this.#look()
    }
  }

  #look(): number {
    const nowMs = this.#clock.monotonicMs()
    const passedMs = nowMs - this.#lookedMs
    const wasInDoubt = this.#lookedMs < this.#doubtUntilMs
    this.#doubtedMs = wasInDoubt ? this.#doubtedMs + Math.min(passedMs, everyMs) : 0
    const stoodMs = passedMs - everyMs
    if (stoodMs > stallMs) {
      this.#doubtUntilMs = nowMs + stoodMs
      if (stoodMs > longStallMs) this.#doubtedMs = 0
    }
    this.#lookedMs = nowMs
    return nowMs
  }
}
