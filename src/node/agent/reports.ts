/**
 * What the leader has still to be told of this machine's units: what changed since the last
 * acknowledged pulse, all of it when the term changes, and all of it every ten seconds, because
 * a report may be acknowledged by a leader that dies before it writes it.
 */
import type { UnitStateRecord } from '../../core/records/schemas.ts'
import { maxStatesPerPulse, type UnitReport } from '../member/pulse-types.ts'

const tellAllEveryMs = 10_000
/** That a unit is gone is repeated with the rest for this long, and then forgotten. */
const rememberGoneMs = 25_000
/** Units gone and not yet forgotten; beyond it the oldest are forgotten early. */
const goneMax = 1024

interface Entry {
  readonly report: UnitReport
  /** Grows with each change of the report. */
  readonly version: number
  readonly sinceMs: number
}

export class Reports {
  readonly #entries = new Map<string, Entry>()
  /** The version of each unit's report that was acknowledged. Invariant: at most the entry's. */
  readonly #told = new Map<string, number>()
  #version = 0
  #toldAllAtMs = -Infinity

  /** True when this is news. */
  set(state: UnitStateRecord, nowMs: number): boolean {
    const before = this.#entries.get(state.unit)?.report
    if (before?.kind === 'state' && sameState(before.state, state)) return false
    this.#put(state.unit, { kind: 'state', state }, nowMs)
    return true
  }

  gone(unit: string, nowMs: number): boolean {
    if (this.#entries.get(unit)?.report.kind === 'gone') return false
    this.#put(unit, { kind: 'gone', unit }, nowMs)
    return true
  }

  get states(): UnitStateRecord[] {
    return [...this.#entries.values()].flatMap(({ report }) =>
      report.kind === 'state' ? [report.state] : [],
    )
  }

  /** For one pulse, the longest known first; pass `told` what `due` gave once it is acknowledged. */
  due(nowMs: number): { reports: readonly UnitReport[]; versions: ReadonlyMap<string, number> } {
    if (nowMs - this.#toldAllAtMs >= tellAllEveryMs) this.tellAllAgain(nowMs)
    const reports: UnitReport[] = []
    const versions = new Map<string, number>()
    for (const [unit, { report, version }] of this.#entries) {
      if (reports.length >= maxStatesPerPulse) break
      if (this.#told.get(unit) === version) continue
      reports.push(report)
      versions.set(unit, version)
    }
    return { reports, versions }
  }

  told(versions: ReadonlyMap<string, number>): void {
    for (const [unit, version] of versions) {
      if (this.#entries.has(unit)) this.#told.set(unit, version)
    }
  }

  tellAllAgain(nowMs: number): void {
    this.#toldAllAtMs = nowMs
    for (const [unit, { report, sinceMs }] of this.#entries) {
      if (report.kind !== 'gone') continue
      if (nowMs - sinceMs >= rememberGoneMs && this.#told.has(unit)) this.#entries.delete(unit)
    }
    this.#told.clear()
  }

  #put(unit: string, report: UnitReport, nowMs: number): void {
    this.#version += 1
    this.#entries.delete(unit)
    this.#entries.set(unit, { report, version: this.#version, sinceMs: nowMs })
    this.#told.delete(unit)
    const gone = [...this.#entries].filter(([, entry]) => entry.report.kind === 'gone')
    for (const [oldest] of gone.slice(0, Math.max(0, gone.length - goneMax))) {
      this.#entries.delete(oldest)
    }
  }
}

function sameState(a: UnitStateRecord, b: UnitStateRecord): boolean {
  const keys = Object.keys({ ...a, ...b }) as (keyof UnitStateRecord)[]
  return keys.every((key) => a[key] === b[key])
}
