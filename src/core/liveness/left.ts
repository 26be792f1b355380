/** Machines that have left and may still be stopping what is on them. */

/** Longer than anything but death keeps an agent from its pulses; people wait for it. */
export const leftSilentMs = 10_000

/** On the leader's monotonic clock; `heardAtMs` is undefined when no table tells. */
export interface LeftMachine {
  readonly heardAtMs: number | undefined
  readonly tookOfficeMs: number
  readonly nowMs: number
}

/** Undefined while that is not known: a leader has to have listened for as long. */
export function isSilent({ heardAtMs, tookOfficeMs, nowMs }: LeftMachine): boolean | undefined {
  if (heardAtMs !== undefined && nowMs - heardAtMs < leftSilentMs) return false
  return nowMs - tookOfficeMs < leftSilentMs ? undefined : true
}
