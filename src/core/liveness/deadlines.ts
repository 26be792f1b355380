/**
 * The arithmetic of life and death (ARCHITECTURE 7). All times are milliseconds.
 *
 * Why a `Fencing=stop` unit never runs twice: its agent's fencer stops it by F + K after the
 * agent *sent* its last acknowledged pulse, on the agent's clock; its replacement starts R after
 * that pulse was heard, on the leader's. R exceeds F + K by the drift both clocks may have.
 */
import { assert } from '../../base/assert.ts'

/** Clocks may run apart by one part in a hundred. */
const maxDrift = 1.01
const killMs = 750
const replacementSlackMs = 50

export interface Deadlines {
  /** P: time between two pulses of an agent. */
  readonly pulseMs: number
  /** F: from sending the last acknowledged pulse until the fencer kills. */
  readonly fenceMs: number
  /** L: from the last pulse heard by any voter until the machine is lost (`Fencing=keep`). */
  readonly lostMs: number
}

/** `machines` counts those that pulse; every deadline grows with it beyond a thousand. */
export function deadlines(machines: number): Deadlines {
  assert(Number.isSafeInteger(machines) && machines >= 0, 'machines are counted')
  const pulseMs = Math.max(250, machines / 4)
  return {
    pulseMs,
    fenceMs: Math.max(2000, 8 * pulseMs),
    lostMs: Math.max(1750, 7 * pulseMs),
  }
}

/** K: time for the fencer to kill a unit that asks for `graceMs` when it is fenced. */
export const killAllowanceMs = (graceMs: number): number => killMs + graceMs

/**
 * R: from the later of the last pulse heard and the leader's taking office, until a
 * `Fencing=stop` unit may be started elsewhere.
 */
export function replacementMs(of: Deadlines, graceMs: number): number {
  return (of.fenceMs * maxDrift + killAllowanceMs(graceMs)) * maxDrift + replacementSlackMs
}
