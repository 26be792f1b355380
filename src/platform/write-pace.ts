/**
 * Whether a write of a file may be done at once, on the main thread. It is a copy into the kernel's
 * cache, done in microseconds, where to hand it to another thread and to hear of it again takes
 * ten times as long. But where the disk is busy the kernel makes writers wait, for as long as it
 * makes a sync wait, and then the heartbeats would wait too. So only after a sync that was quick.
 */

/** More bytes take longer than the other thread. */
const bytesMax = 64 * 1024
/** A sync of a disk that nobody else keeps busy; ten is a hard disk's. */
const quickSyncMs = 20
/** A write that took longer was held up, whatever the syncs said. */
const heldUpMs = 3
/** Then this long no other is tried. */
const restMs = 10_000

export class WritePace {
  /** Nothing is known of a file that has not been synced yet. */
  #isQuick = false
  #restsUntilMs = 0

  mayWriteAtOnce(bytes: number, nowMs: number): boolean {
    return this.#isQuick && bytes <= bytesMax && nowMs >= this.#restsUntilMs
  }

  /** A sync begins: until it has ended, another write might wait for it. */
  syncBegins(): void {
    this.#isQuick = false
  }

  synced(tookMs: number): void {
    this.#isQuick = tookMs <= quickSyncMs
  }

  wroteAtOnce(tookMs: number, nowMs: number): void {
    if (tookMs > heldUpMs) this.#restsUntilMs = nowMs + restMs
  }
}
