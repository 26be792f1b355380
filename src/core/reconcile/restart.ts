/**
 * Whether a unit starts again after its end, and when. Source: the table of `Restart=` in
 * systemd.service(5).
 *
 * systemd gives up after five starts in ten seconds. Here nobody may be watching, so a unit is
 * never given up; instead the delay doubles with each end that follows soon on its start.
 */
import { assertNever } from '../../base/assert.ts'
import type { RestartPolicy, UnitEnd, UnitRules } from './types.ts'

/** A run this long ends the doubling: systemd's StartLimitIntervalSec. */
export const steadyRunMs = 10_000
/** With `RestartSec=0`, and the least that is ever waited. */
const delayMsMin = 100
/** Doubling stops here; a longer `RestartSec=` is kept as it is. */
const delayMsMax = 60_000

type EndClass = 'clean' | 'exit-code' | 'signal' | 'timeout'

/** SIGHUP, SIGINT, SIGPIPE and SIGTERM are clean ends, as in systemd. */
const cleanSignals: ReadonlySet<number> = new Set([1, 2, 13, 15])
const signalMax = 64

/** The engine tells a death by signal N as code 128 + N, as a shell does. */
export const signalOf = (exitCode: number): number | undefined =>
  exitCode > 128 && exitCode <= 128 + signalMax ? exitCode - 128 : undefined

function classOf(end: UnitEnd): EndClass {
  switch (end.kind) {
    case 'exited': {
      const signal = signalOf(end.exitCode)
      if (signal !== undefined) return cleanSignals.has(signal) ? 'clean' : 'signal'
      return end.exitCode === 0 ? 'clean' : 'exit-code'
    }
    case 'vanished':
      return 'signal'
    case 'start-failed':
      return end.timedOut ? 'timeout' : 'exit-code'
    default:
      return assertNever(end)
  }
}

const restartsAfter: Readonly<Record<RestartPolicy, readonly EndClass[]>> = {
  no: [],
  always: ['clean', 'exit-code', 'signal', 'timeout'],
  'on-success': ['clean'],
  'on-failure': ['exit-code', 'signal', 'timeout'],
  'on-abnormal': ['signal', 'timeout'],
  'on-abort': ['signal'],
}

export const restarts = (end: UnitEnd, policy: RestartPolicy): boolean =>
  restartsAfter[policy].includes(classOf(end))

/** A leading `-` forgives what the container did, not that it never was one. */
export function failed(end: UnitEnd, ignoreFailure: boolean): boolean {
  if (end.kind === 'exited' && ignoreFailure) return false
  return classOf(end) !== 'clean'
}

/** From the end until the next start. `quickEnds` >= 1 counts the end in question. */
export function restartDelayMs(
  rules: Pick<UnitRules, 'restartDelayMs'>,
  quickEnds: number,
): number {
  const ownMs = Math.max(delayMsMin, rules.restartDelayMs)
  return Math.min(
    Math.max(delayMsMax, ownMs),
    ownMs * 2 ** Math.min(20, Math.max(0, quickEnds - 1)),
  )
}

/** For people. */
export function describeEnd(end: UnitEnd): string {
  switch (end.kind) {
    case 'exited': {
      const signal = signalOf(end.exitCode)
      return signal === undefined ? `exit code ${end.exitCode}` : `ended by signal ${signal}`
    }
    case 'vanished':
      return 'its container was removed from outside'
    case 'start-failed':
      return end.message
    default:
      return assertNever(end)
  }
}
