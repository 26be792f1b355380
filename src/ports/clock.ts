/** Time as an argument. Everything in `core/` gets times passed in; `node/` gets this. */
export interface Clock {
  /** Milliseconds on a clock that never goes back; its zero means nothing. May have fractions. */
  monotonicMs(): number
  /** Milliseconds since 1970-01-01 UTC; may jump either way. For records and people only. */
  wallMs(): number
  /** Calls `fire` once, no sooner than `delayMs` from now. */
  after(delayMs: number, fire: () => void): Timer
  /**
   * Calls `fire` once, when all that this turn of the loop has brought is taken: what comes
   * together can then be done together. No time need pass, and it cannot be cancelled.
   */
  atTurnsEnd(fire: () => void): void
}

export interface Timer {
  /** Idempotent; a cancelled timer never fires. */
  cancel(): void
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. Never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    const stop = (): void => {
      timer.cancel()
      resolve()
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
