/** A power cut, and how long until what was lost runs elsewhere, as the other engines show it. */
import { sleep } from '../../../ports/clock.ts'
import type { PowerCut, Rack } from '../rack.ts'
import { rackError } from '../world.ts'
import type { FileRules } from './unit-rules.ts'
import { containersOn, isRunning } from './view.ts'

/** Between two looks; with the looks themselves, under 20 ms. */
const lookPauseMs = 5
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
  /** The longest pause between two looks at the engines: the error of every figure. */
  readonly lookGapMsMax: number
}

/** Units that leave `victim` with it and can run on another of `machines`. */
export const movable = (rules: FileRules): boolean => !rules.global && rules.machineId === undefined

/**
 * Cuts the power of `victim`, and looks at the engines of `others` until each of `lost` runs
 * there. Throws `JGD_RACK` when that takes longer than a minute.
 */
export async function cutAndWatch(
  rack: Rack,
  victim: string,
  others: readonly string[],
  lost: readonly string[],
): Promise<FailoverOutcome> {
  const cutting = rack.powerOff(victim)
  // Awaited below; until then a failure must not count as nobody's.
  cutting.catch(() => undefined)
  const { clock } = rack
  const deadlineMs = clock.monotonicMs() + replacedTimeoutMs
  const seen = new Map<string, { machine: string; atMs: number }>()
  let lookedMs = clock.monotonicMs()
  let lookGapMsMax = 0
  while (seen.size < lost.length) {
    const running = (await containersOn(rack, others)).filter(isRunning)
    const atMs = clock.monotonicMs()
    lookGapMsMax = Math.max(lookGapMsMax, atMs - lookedMs)
    lookedMs = atMs
    for (const { unit, machine } of running) {
      if (lost.includes(unit) && !seen.has(unit)) seen.set(unit, { machine, atMs })
    }
    if (atMs > deadlineMs) {
      const left = lost.filter((unit) => !seen.has(unit))
      throw rackError(`a minute after the cut these run nowhere: ${left.join(', ')}`)
    }
    await sleep(clock, lookPauseMs)
  }
  const cut = await cutting
  const replacements = [...seen].map(([unit, { machine, atMs }]) => ({
    unit,
    machine,
    afterMs: atMs - cut.cutAtMs,
  }))
  return { ...cut, replacements, lookGapMsMax }
}
