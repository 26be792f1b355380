/**
 * A unit that fails again and again on one machine is tried on another, each time after a longer
 * pause, and given up in the end, until people act. Who is only waiting for his image is never given
 * up: registries come back.
 */
import type { MachineId } from '../../base/ids.ts'
import type { CrashRecord } from '../records/schemas.ts'

/** Failures older than this say nothing any more. */
export const crashesCountMs = 3_600_000
/** Placements in a row that failed, until the unit is parked. */
export const placementsUntilParked = 8
const pauseMsMin = 5000
const pauseMsMax = 300_000

export interface Crash {
  readonly machine: MachineId
  readonly hash: string
  readonly kind: 'run' | 'image'
  /** What its machine said. */
  readonly message: string
}

/** What is known after a unit has failed on a machine often enough. */
export function afterCrash(
  unit: string,
  before: CrashRecord | undefined,
  { machine, hash, kind, message }: Crash,
  nowMs: number,
): CrashRecord {
  const earlier = before?.hash === hash ? recent(before, nowMs) : []
  const failures = [...earlier, { machine, atMs: nowMs }]
  const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** (failures.length - 1))
  return {
    v: 1,
    unit,
    hash,
    failures: failures.slice(-placementsUntilParked),
    untilMs: nowMs + pauseMs,
    parked: kind === 'run' && failures.length >= placementsUntilParked,
    message,
  }
}

/** What a leader wrote whose clock was ahead counts for nothing: it would count for as long as that was. */
const recent = ({ failures }: CrashRecord, nowMs: number): CrashRecord['failures'] =>
  failures.filter(({ atMs }) => atMs <= nowMs && nowMs - atMs < crashesCountMs)

/** Until the unit is tried again; 0 when it may be now, as far as this goes. */
export function pauseLeftMs({ untilMs, parked }: CrashRecord, nowMs: number): number {
  const leftMs = untilMs - nowMs
  return parked || leftMs <= 0 || leftMs > pauseMsMax ? 0 : leftMs
}

/** It no longer decides anything, unless the unit is parked. */
export const isForgotten = (record: CrashRecord, nowMs: number): boolean =>
  pauseLeftMs(record, nowMs) === 0 && recent(record, nowMs).length === 0

/** What of it decides where the unit goes. Undefined: nothing, any more. */
export interface Crashes {
  /** Not to be placed now: for a while, or until people act. */
  readonly hold: 'none' | 'pause' | 'parked'
  /** Placements that failed there of late. */
  readonly failedOn: ReadonlyMap<MachineId, number>
}

export function crashesOf(
  record: CrashRecord | undefined,
  hash: string,
  nowMs: number,
): Crashes | undefined {
  if (record === undefined || record.hash !== hash) return undefined
  const hold = record.parked ? 'parked' : pauseLeftMs(record, nowMs) > 0 ? 'pause' : 'none'
  const failedOn = new Map<MachineId, number>()
  for (const { machine } of recent(record, nowMs)) {
    failedOn.set(machine as MachineId, (failedOn.get(machine as MachineId) ?? 0) + 1)
  }
  return hold === 'none' && failedOn.size === 0 ? undefined : { hold, failedOn }
}
