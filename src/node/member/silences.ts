/**
 * How long those who are heard all the time are silent meanwhile. A leader is heard with every
 * heartbeat, and its followers with every answer to one: what comes later than that was held up on
 * its way, in their loop or in this one. A silence that does not end says nothing here: that is
 * what election timeouts are for.
 */
import { DelaySamples, DelayWindows } from '../../base/delay-windows.ts'
import type { MemberId } from '../../base/ids.ts'
import { heartbeatMs } from './raft-config.ts'

/** With a window a second. */
const windowsMax = 60
/** Longer is no delay: it was gone, and is back. */
const goneMs = 1000

export class Silences {
  readonly #samples = new DelaySamples()
  readonly #windows = new DelayWindows(windowsMax)
  readonly #heardAtMs = new Map<MemberId, number>()

  heard(from: MemberId, nowMs: number): void {
    const before = this.#heardAtMs.get(from)
    this.#heardAtMs.set(from, nowMs)
    if (before === undefined || nowMs - before > goneMs) return
    // What comes sooner is an append between heartbeats, and breaks no silence.
    if (nowMs - before >= heartbeatMs) this.#samples.add(nowMs - before - heartbeatMs)
  }

  /** Somebody else leads, or nobody: others are heard from now on. */
  restart(): void {
    this.#heardAtMs.clear()
  }

  /** Ends a window, and tells the slowest thousandth of the last minute; see `DelayWindows`. */
  p999Ms(): number {
    this.#windows.add(this.#samples.take())
    return this.#windows.p999()
  }
}
