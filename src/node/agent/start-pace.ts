/**
 * How many starts an engine is given at once. An engine that has too much to do answers nobody in time, and
 * starts that are given up and begun again keep it so. So a slow start halves their number and quick ones
 * raise it by one, as TCP does with what it has on the way (RFC 5681).
 */
import type { Clock } from '../../ports/clock.ts'
import { Gate } from './gate.ts'

/** More make each start slower and none sooner (measured on two cores). */
export const startsAtOnceMax = 4
/** Creating and starting a container take under a second where there is nothing else to do. */
const slowMs = 10_000
/** Twice as many of these would not be slow. */
const quickMs = slowMs / 2

export class StartPace {
  readonly #clock: Clock
  readonly #gate = new Gate(startsAtOnceMax)
  /** Quick ones since the number last changed. */
  #quick = 0
  /** Those that began before it were slow together, and count as one. */
  #halvedAtMs = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Runs `start`, which says whether the engine has started something, when its turn has come. What it takes from
   * then on is what counts.
   */
  pass(start: () => Promise<boolean>): Promise<boolean> {
    return this.#gate.pass(async () => {
      const begunMs = this.#clock.monotonicMs()
      let hasStarted = false
      try {
        hasStarted = await start()
        return hasStarted
      } finally {
        this.#note(begunMs, this.#clock.monotonicMs(), hasStarted)
      }
    })
  }

  #note(begunMs: number, nowMs: number, hasStarted: boolean): void {
    const atOnce = this.#gate.capacity
    if (nowMs - begunMs >= slowMs) {
      this.#quick = 0
      if (begunMs < this.#halvedAtMs) return
      this.#halvedAtMs = nowMs
      this.#gate.resize(Math.max(1, atOnce >> 1))
      return
    }
    // What was called off, or refused, says nothing of how quick the engine is.
    if (!hasStarted || nowMs - begunMs >= quickMs) return
    this.#quick += 1
    if (this.#quick < atOnce || atOnce === startsAtOnceMax) return
    this.#quick = 0
    this.#gate.resize(atOnce + 1)
  }
}
