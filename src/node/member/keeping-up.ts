/**
 * Whether what this machine has of the records is at most moments old, be it a copy of its own or
 * what members tell it. To hear the leader is not enough: a member that lacks entries which the
 * leader no longer has hears its heartbeats while it waits for a snapshot, and its copy stays as old
 * as its log. What tells is a linearizable read: one is made whenever the answer matters, not more
 * often than `upToDateMs`.
 */
import { type Clock, sleep } from '../../ports/clock.ts'

/** A copy that was behind by no more than this is as good as new. */
export const upToDateMs = 1000

/** Where the records are read: this machine's member or, while it has none, the others. */
export interface RecordReader {
  /** Milliseconds since a leader was heard there. */
  readonly staleForMs: number
  /** Resolves once what is read from there is as new as this call. Rejects while nobody knows. */
  barrier(): Promise<unknown>
}

export interface KeepingUpOptions {
  readonly reader: () => RecordReader
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The copy has caught up: what follows it is to follow now, before anybody hears of that. */
  readonly refresh: () => Promise<void>
  /** The copy was behind, and is no longer: what was let pass meanwhile is to be looked at. */
  readonly onCaughtUp: () => void
}

/** Invariant: at most one read is under way. */
export class KeepingUp {
  readonly #options: KeepingUpOptions
  #isBehind = false
  #isAsking = false
  #answeredAtMs = -Infinity

  constructor(options: KeepingUpOptions) {
    this.#options = options
  }

  /** As far as is known; a copy that has fallen behind unseen is found out `upToDateMs` later. */
  isUpToDate(): boolean {
    const reader = this.#options.reader()
    if (reader.staleForMs >= upToDateMs) this.#isBehind = true
    const isDue = this.#isBehind || this.#nowMs() >= this.#answeredAtMs + upToDateMs
    if (!this.#isAsking && isDue) void this.#ask()
    return !this.#isBehind
  }

  /** Until what is read has caught up, from whoever is the reader by then. Never rejects. */
  async #ask(): Promise<void> {
    const { clock, signal, refresh, onCaughtUp } = this.#options
    this.#isAsking = true
    const patience = clock.after(upToDateMs, () => (this.#isBehind = true))
    while (!signal.aborted) {
      const isLevel = await this.#options
        .reader()
        .barrier()
        .then(() => (this.#isBehind ? refresh() : undefined))
        .then(
          () => true,
          () => false,
        )
      if (isLevel) break
      this.#isBehind = true
      await sleep(clock, upToDateMs, signal)
    }
    patience.cancel()
    this.#isAsking = false
    this.#answeredAtMs = this.#nowMs()
    if (!this.#isBehind) return
    this.#isBehind = false
    if (!signal.aborted) onCaughtUp()
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }
}
