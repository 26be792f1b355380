/**
 * `TimeoutStartSec=` of one start. It stands still while the unit waits for its turn behind others:
 * otherwise, on a machine that is slow to start many units, those at the end of the queue would be
 * given up and begun again, and take the time of the rest.
 */
import { assert } from '../../base/assert.ts'
import type { Clock, Timer } from '../../ports/clock.ts'

export class StartLimit {
  readonly #clock: Clock
  readonly #onOver: () => void
  /** What was left when it last began to run; Infinity without a limit. */
  #leftMs: number
  /** Invariant: undefined exactly while it stands still. */
  #runsSinceMs: number | undefined
  #timer: Timer | undefined

  /** Runs from the start on. `onOver` is called once at most, and never after `end`. */
  constructor(clock: Clock, limitMs: number, onOver: () => void) {
    assert(limitMs > 0, 'a limit leaves some time')
    this.#clock = clock
    this.#leftMs = limitMs
    this.#onOver = onOver
    this.goOn()
  }

  /** Milliseconds; 0 when it is over. */
  get leftMs(): number {
    if (this.#runsSinceMs === undefined) return this.#leftMs
    return Math.max(0, this.#leftMs - (this.#clock.monotonicMs() - this.#runsSinceMs))
  }

  goOn(): void {
    if (this.#runsSinceMs !== undefined) return
    this.#runsSinceMs = this.#clock.monotonicMs()
    if (this.#leftMs !== Infinity) this.#timer = this.#clock.after(this.#leftMs, this.#onOver)
  }

  pause(): void {
    this.#leftMs = this.leftMs
    this.#runsSinceMs = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** The start is over, one way or the other. */
  end(): void {
    this.pause()
  }
}
