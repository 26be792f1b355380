/** How late something is that comes again and again, as its slowest thousandth tells. */
import { assert } from './assert.ts'

/** Until there are thousands of samples, so many long ones are wanted before it is believed. */
const rankMin = 6
/** More than a thousandth of the samples that a minute of windows can hold. */
export const longestMax = 16

export interface DelayWindow {
  /** Samples in all. */
  readonly count: number
  /** The longest of them. */
  readonly longest: readonly number[]
}

/** Invariant: holds the last `max` windows that were added. */
export class DelayWindows {
  readonly #max: number
  #windows: readonly DelayWindow[] = []

  constructor(max: number) {
    assert(max > 0, 'at least one window is kept')
    this.#max = max
  }

  add(window: DelayWindow): void {
    this.#windows = [...this.#windows, window].slice(-this.#max)
  }

  /** 0 when less than `rankMin` was sampled; too low when a window tells too few of its longest. */
  p999(): number {
    const count = this.#windows.reduce((sum, window) => sum + window.count, 0)
    const longest = this.#windows.flatMap((window) => window.longest).toSorted((a, b) => b - a)
    const rank = Math.max(rankMin, Math.ceil(count / 1000))
    return longest[rank - 1] ?? 0
  }
}

/** The samples of one window, one by one. */
export class DelaySamples {
  #count = 0
  /** Descending; at most `longestMax`. */
  #longest: number[] = []

  add(ms: number): void {
    this.#count += 1
    const longest = this.#longest
    if (longest.length >= longestMax && ms <= (longest.at(-1) ?? 0)) return
    const at = longest.findIndex((each) => each < ms)
    longest.splice(at < 0 ? longest.length : at, 0, ms)
    if (longest.length > longestMax) longest.pop()
  }

  /** Ends the window; the next sample begins another. */
  take(): DelayWindow {
    const window = { count: this.#count, longest: this.#longest }
    this.#count = 0
    this.#longest = []
    return window
  }
}
