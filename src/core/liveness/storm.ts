/**
 * When many machines are lost at once, it is the network or the power more often than they, and they
 * come back soon. Their units start elsewhere all the same, but no faster than the rest can bear.
 */
import { assert } from '../../base/assert.ts'
import { brakeThreshold } from './decide.ts'

/** Machines lost within this time are lost at once. */
export const stormMs = 60_000

/**
 * `lostAtMs` of those that are lost, on the clock of `nowMs`; `machines` counts the ready ones too.
 * Wall clocks of leaders differ: what was lost in the future says nothing, or it would be of late until
 * that has come.
 */
export function isStorm(lostAtMs: readonly number[], machines: number, nowMs: number): boolean {
  const lately = lostAtMs.filter((atMs) => atMs <= nowMs && nowMs - atMs < stormMs)
  return lately.length > brakeThreshold(machines)
}

/** Whether so many of them were lost at once, however long ago. */
export function wasStorm(lostAtMs: readonly number[], machines: number): boolean {
  const atOnce = brakeThreshold(machines) + 1
  const inTurn = lostAtMs.toSorted((a, b) => a - b)
  return inTurn.some((atMs, at) => {
    const last = inTurn[at + atOnce - 1]
    return last !== undefined && last - atMs < stormMs
  })
}

/** So many a second, and never more than a second's worth at once: a token bucket. */
export class Rate {
  #left: number
  #atMs: number

  constructor(perSecond: number, nowMs: number) {
    assert(perSecond > 0, 'a rate lets something through')
    this.#left = Math.max(1, perSecond)
    this.#atMs = nowMs
  }

  /** Whole ones that may go now. */
  allowance(perSecond: number, nowMs: number): number {
    const earned = (Math.max(0, nowMs - this.#atMs) / 1000) * perSecond
    this.#left = Math.min(Math.max(1, perSecond), this.#left + earned)
    this.#atMs = nowMs
    // What adds up in small parts is a hair less than what it adds up to.
    return Math.floor(this.#left + 1e-9)
  }

  took(count: number): void {
    this.#left -= count
  }

  /** Until one more may go; at least 1. */
  waitMs(perSecond: number): number {
    return Math.max(1, Math.ceil(((1 - this.#left) / perSecond) * 1000))
  }
}
