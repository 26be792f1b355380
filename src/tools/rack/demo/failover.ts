/** A power cut, and how long until what was lost runs elsewhere, as the other engines show it. */
import { sleep } from '../../../ports/clock.ts'
import type { PowerCut, Rack } from '../rack.ts'
import { rackError } from '../world.ts'
import type { FileRules } from './unit-rules.ts'
import { onUnitStart } from '../engine.ts'
import { containersOn, isRunning } from './view.ts'

/** An engine is looked at when it tells of a start, and this often all the same. */
const lookEveryMs = 500
const replacedTimeoutMs = 60_000

export interface Replacement {
  readonly unit: string
  /** Where it was first seen running. */
  readonly machine: string
  /** From the moment the switch port was down. */
  readonly afterMs: number
}

export interface FailoverOutcome extends PowerCut {
  /** In the order in which they were seen. */
  readonly replacements: readonly Replacement[]
}

/** Units that leave `victim` with it and can run on another of `machines`. */
export const movable = (rules: FileRules): boolean =>
  !rules.global && rules.machineId === undefined && !rules.hasVolume

/**
 * Cuts the power of `victim`, and looks at the engines of `others` until each of `lost` runs
 * there. Throws `JGD_RACK` when that takes longer than `timeoutMs`, a minute where nothing is said.
 */
export async function cutAndWatch(
  rack: Rack,
  victim: string,
  others: readonly string[],
  lost: readonly string[],
  onCut?: (atMs: number) => void,
  { timeoutMs = replacedTimeoutMs } = {},
): Promise<FailoverOutcome> {
  const ended = new AbortController()
  try {
    const nextStart = await watchStarts(rack, others, ended.signal)
    const cutting = rack.powerOff(victim, onCut)
    // Awaited below; until then a failure must not count as nobody's.
    cutting.catch(() => undefined)
    const seen = await lookForAll(rack, others, lost, { nextStart, timeoutMs })
    const cut = await cutting
    const replacements = [...seen].map(([unit, { machine, atMs }]) => ({
      unit,
      machine,
      afterMs: atMs - cut.cutAtMs,
    }))
    return { ...cut, replacements }
  } finally {
    ended.abort()
  }
}

/**
 * Gives what resolves at the next start that an engine tells of, at once when one was told since it
 * was last called, and after `lookEveryMs` all the same. Asking the engines all the time would take
 * a third of two cores, and the containers that are waited for would start that much later.
 */
async function watchStarts(
  rack: Rack,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  let told = false
  let wake = (): void => undefined
  const tell = (): void => {
    told = true
    wake()
  }
  const pids = await Promise.all(hosts.map((host) => rack.initPid(host)))
  await Promise.all(pids.map((pid) => onUnitStart(pid, signal, tell)))
  const heard = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
      if (told) resolve()
    })
  return async () => {
    await Promise.race([heard(), sleep(rack.clock, lookEveryMs)])
    told = false
  }
}

/** By unit, where it was first seen running and when, on the rack's monotonic clock. */
async function lookForAll(
  rack: Rack,
  hosts: readonly string[],
  lost: readonly string[],
  { nextStart, timeoutMs }: { nextStart: () => Promise<void>; readonly timeoutMs: number },
): Promise<Map<string, { readonly machine: string; readonly atMs: number }>> {
  const { clock } = rack
  const deadlineMs = clock.monotonicMs() + timeoutMs
  const seen = new Map<string, { machine: string; atMs: number }>()
  for (;;) {
    const running = (await containersOn(rack, hosts)).filter(isRunning)
    const atMs = clock.monotonicMs()
    for (const { unit, machine } of running) {
      if (lost.includes(unit) && !seen.has(unit)) seen.set(unit, { machine, atMs })
    }
    if (seen.size === lost.length) return seen
    if (atMs > deadlineMs) {
      const left = lost.filter((unit) => !seen.has(unit))
      throw rackError(`${timeoutMs / 1000} s after the cut these run nowhere: ${left.join(', ')}`)
    }
    await nextStart()
  }
}
