/** How late the event loop is, as its slowest thousandth of the last minute tells. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { assert } from '../base/assert.ts'

export interface LoopDelay {
  /**
   * Ends a window and gives the 99.9th percentile over the last `windowsMax` of them, in
   * milliseconds. To be called at even pace.
   */
  readonly p999Ms: () => number
  readonly stop: () => void
}

const resolutionMs = 5
/**
 * A window of five seconds has a thousand samples at most, and its 99.9th percentile would be the
 * one longest: a single collection of garbage. A minute has twelve that count.
 */
const windowsMax = 12
/** Until there are thousands of samples, so many long ones are wanted before it is believed. */
const rankMin = 6
/** More than a thousandth of the samples that a minute can hold. */
const longestMax = 16

export function watchLoopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  const windows = new DelayWindows(windowsMax)
  return {
    p999Ms: () => {
      const { count } = histogram
      const longest = Array.from({ length: Math.min(longestMax, count) }, (_, at) => {
        // The histogram counts the whole interval between two samples; the delay is what is over.
        const intervalMs = histogram.percentile(100 * (1 - (at + 0.5) / count)) / 1e6
        return Math.max(0, intervalMs - resolutionMs)
      })
      histogram.reset()
      windows.add({ count, longest })
      return windows.p999()
    },
    stop: () => histogram.disable(),
  }
}

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
