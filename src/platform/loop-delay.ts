/** How late the event loop is, as its slowest thousandth of the last minute tells. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DelayWindows, longestMax } from '../base/delay-windows.ts'

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
 * A window of a second has two hundred samples at most, and its 99.9th percentile would be the
 * one longest: a single collection of garbage. A minute has twelve that count.
 */
const windowsMax = 60

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
