/**
 * The fencer of this machine: a process of its own that stops containers when its deadline passes,
 * though agent and engine be dead. What it does: `core/liveness/fencer.ts`.
 */
export interface Fencer {
  /**
   * Finds the one there is, or starts one, and tells it. Times are of the caller's monotonic clock.
   * What is guarded once this has resolved is stopped at the deadline, come what may. Rejects with
   * `JGD_FENCER_DOWN` when none answers; the next call tries again.
   */
  tell(order: {
    readonly untilMs: number | undefined
    readonly guard: readonly {
      readonly id: string
      readonly unit: string
      readonly graceMs: number
    }[]
    readonly drop: readonly string[]
  }): Promise<{
    readonly guarded: number
    readonly condemned: readonly {
      readonly id: string
      readonly unit: string
      readonly lateMs: number
    }[]
  }>
}
