/** Which machines a leader declares lost, and when it should look again. */
import { assert } from '../../base/assert.ts'
import type { MachineId } from '../../base/ids.ts'
import type { Deadlines } from './deadlines.ts'

/** What the leader knows of one machine that its record calls ready. */
export interface MachineSilence {
  readonly id: MachineId
  /**
   * When any voter last heard it, on the leader's monotonic clock; undefined when none of the
   * tables collected since taking office tells.
   */
  readonly heardAtMs: number | undefined
  /** The machine announced a planned silence until then; it is not lost before. */
  readonly silentUntilMs: number
}

export interface LivenessView {
  readonly nowMs: number
  readonly tookOfficeMs: number
  readonly machines: readonly MachineSilence[]
  readonly deadlines: Deadlines
}

export interface LivenessDecision {
  readonly lost: readonly MachineId[]
  /** Too many looked lost at once, soon after an election: the brake held all of them. */
  readonly braked: readonly MachineId[]
  /** When the earliest further machine could be lost; undefined when there is none. */
  readonly nextLookMs: number | undefined
}

/** More than this many machines silent at once look like the network's fault, not theirs. */
export const brakeThreshold = (machines: number): number => Math.max(2, Math.floor(machines / 5))

/** Pulses for which a leader listens first: what came between two leaders, nobody may have been told. */
const pulsesHeardFirst = 4

/**
 * A machine is lost L after it was last heard, and not before the leader has listened for a while.
 * One that nobody has heard counts from the leader's taking office; so does one that had been silent
 * for twice L by then, because the leader before would have said so: whoever took over has only not
 * been told who heard it since. Within L of taking office, more than `brakeThreshold` of them are held.
 */
export function decideLost(view: LivenessView): LivenessDecision {
  const { nowMs, tookOfficeMs } = view
  const { lostMs, pulseMs } = view.deadlines
  const listenedAtMs = tookOfficeMs + pulsesHeardFirst * pulseMs
  assert(nowMs >= tookOfficeMs, 'a leader looks after it took office')
  const due: MachineId[] = []
  let nextLookMs: number | undefined
  const lookAt = (atMs: number): void => {
    if (nextLookMs === undefined || atMs < nextLookMs) nextLookMs = atMs
  }
  for (const machine of view.machines) {
    const { heardAtMs: told = -Infinity } = machine
    const isOld = told + 2 * lostMs < tookOfficeMs
    const heardAtMs = isOld ? tookOfficeMs : told
    const lostAtMs = Math.max(heardAtMs + lostMs, machine.silentUntilMs, listenedAtMs)
    if (lostAtMs <= nowMs) due.push(machine.id)
    else lookAt(lostAtMs)
  }
  const brakeEndsMs = tookOfficeMs + lostMs
  if (nowMs < brakeEndsMs && due.length > brakeThreshold(view.machines.length)) {
    lookAt(brakeEndsMs)
    return { lost: [], braked: due, nextLookMs }
  }
  return { lost: due, braked: [], nextLookMs }
}
