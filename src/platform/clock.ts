/** The machine's own clocks behind `ports/Clock`. */
import os from 'node:os'
import type { Clock, Timer } from '../ports/clock.ts'
import { atTurnsEnd } from './turn.ts'

/** CLOCK_MONOTONIC as it is for every process of the machine. */
export const kernelMonotonicMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000

/** How long the machine was suspended since its start, more or less; only differences say anything. */
export const suspendedMs = (): number => os.uptime() * 1000 - kernelMonotonicMs()

/** The longest delay `setTimeout` takes; a longer one it would turn into 1 ms. */
const timeoutMsMax = 0x7fff_ffff

/**
 * `monotonicMs` is CLOCK_MONOTONIC since the process started, so it stands still while the
 * machine is suspended. A timer keeps the process alive until it fires or is cancelled.
 */
export function systemClock(): Clock {
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    after: startTimer,
    atTurnsEnd,
  }
}

/**
 * Node counts timers in whole milliseconds of a loop time that it samples once a turn, so one may
 * fire a fraction early. The port promises "no sooner", hence the second look when it fires.
 */
function startTimer(delayMs: number, fire: () => void): Timer {
  const dueMs = performance.now() + Math.max(0, delayMs)
  let handle: NodeJS.Timeout
  const arm = (): void => {
    const leftMs = Math.ceil(dueMs - performance.now())
    handle = setTimeout(ring, Math.min(Math.max(leftMs, 0), timeoutMsMax))
  }
  const ring = (): void => {
    if (performance.now() < dueMs) arm()
    else fire()
  }
  arm()
  return { cancel: () => clearTimeout(handle) }
}
