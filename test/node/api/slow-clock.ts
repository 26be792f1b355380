import type { Clock } from '../../../src/ports/clock.ts'
import { clock as system } from './fixture.ts'

/** Every look at it costs `lookMs`; it counts how often the loop saw to others. */
export function slowClock(lookMs: number): Clock & { rests: number } {
  let nowMs = 0
  const slow = {
    rests: 0,
    wallMs: () => nowMs,
    monotonicMs: () => (nowMs += lookMs),
    atTurnsEnd: (then: () => void) => system.atTurnsEnd(then),
    after: (delayMs: number, then: () => void) => {
      slow.rests += 1
      return system.after(delayMs, then)
    },
  }
  return slow
}
