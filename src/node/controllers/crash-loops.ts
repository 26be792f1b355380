/**
 * Takes units that fail again and again from their machine, so that another one tries: when an agent
 * reports a crash loop, the placement goes and what is known of the failures is written, in one
 * transaction. `core/scheduler/crash-loop.ts` decides when it is tried again.
 */
import { describeError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import { Once } from '../../base/once.ts'
import {
  clusterSettings,
  crashes,
  generationOf,
  machines,
  placements,
  units,
} from '../../core/records/keyspace.ts'
import { firstFeatureLevel } from '../../core/records/features.ts'
import type { RecordKind, Stored } from '../../core/records/record.ts'
import type { CrashRecord, PlacementRecord, UnitStateRecord } from '../../core/records/schemas.ts'
import { afterCrash } from '../../core/scheduler/crash-loop.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import type { UnitReport } from '../member/pulse-types.ts'
import { listAll } from '../member/follow.ts'
import { type ControllerContext, type Office, putEvent } from './context.ts'
import { taken, toLeave } from './fence.ts'
import { leftBehind } from './held.ts'
import type { UnitRules } from './unit-rules.ts'

/** Agents report all again every ten seconds, so more are dropped. */
const maxWaiting = 10_000
const eventTextMax = 1024

export class CrashLoops {
  readonly #context: ControllerContext
  readonly #office: Office
  readonly #rules: UnitRules
  readonly #waiting = new Map<string, UnitStateRecord>()
  readonly #once = new Once(() => this.#run())

  constructor(context: ControllerContext, office: Office, rules: UnitRules) {
    this.#context = context
    this.#office = office
    this.#rules = rules
  }

  take(machine: MachineId, reports: readonly UnitReport[]): void {
    for (const report of reports) {
      if (report.kind === 'gone' || report.state.crashLoop === undefined) continue
      const key = `${machine}/${report.state.unit}`
      if (this.#waiting.size >= maxWaiting && !this.#waiting.has(key)) continue
      this.#waiting.set(key, { ...report.state, machine })
    }
    if (this.#waiting.size > 0) this.#once.ask()
  }

  async #run(): Promise<void> {
    for (const [key, state] of this.#waiting) {
      this.#waiting.delete(key)
      if (this.#office.signal.aborted) return
      try {
        await this.#decide(state)
      } catch (error) {
        this.#context.log.debug('a crash loop was not written', { cause: describeError(error) })
      }
    }
  }

  /** Whoever follows the unit here runs on, and so it stays: its own agent goes on trying. */
  async #decide(state: UnitStateRecord): Promise<void> {
    const { machine, unit, hash } = state
    const placed = await this.#read(placements, machine, unit)
    const isOfNow = placed !== undefined && generationOf(placed) === state.generation
    if (!isOfNow || placed.value.hash !== hash) return
    // This failure is counted already: it was told to stop for it, or for another reason.
    if (placed.value.fence?.leaving === true) return
    if (await this.#isFollowed(machine, unit)) return
    const { store, clock } = this.#context
    const nowMs = clock.wallMs()
    const before = await this.#read(crashes, unit)
    const kind = state.crashLoop ?? 'run'
    const crash = { machine: machine as MachineId, hash, kind, message: state.message }
    const after = afterCrash(unit, before?.value, crash, nowMs)
    await store.transact({
      compare: [unchanged(placed.key, placed), unchanged(crashes.key(unit), before)],
      then: [
        crashes.put(after, unit),
        ...(await this.#takenOff(placed, nowMs)),
        await this.#event(placed.value, after, nowMs),
      ],
      otherwise: [],
      term: this.#office.term,
    })
  }

  /** At once; but where the unit must never run twice, when it has stopped. */
  async #takenOff(placed: Stored<PlacementRecord>, nowMs: number): Promise<Operation[]> {
    const { machine, unit, fence } = placed.value
    if (fence !== undefined) return [toLeave(placed)]
    const settings = await this.#read(clusterSettings, 'cluster')
    const level = settings?.value.featureLevel ?? firstFeatureLevel
    return [...taken(machine, unit), ...leftBehind(placed.value, level, nowMs)]
  }

  async #event(
    { machine, unit }: PlacementRecord,
    after: CrashRecord,
    nowMs: number,
  ): Promise<Operation> {
    const name = (await this.#read(machines, machine))?.value.name ?? machine.slice(0, 8)
    const why = `${unit} fails again and again on ${name} (${after.message})`
    const message = after.parked
      ? `${why}, and did on others: it is parked. jangada start ${unit} tries again`
      : `${why}: tried again, rather elsewhere, in ${(after.untilMs - nowMs) / 1000} s`
    const { kind, severity } = after.parked
      ? ({ kind: 'unit.parked', severity: 'alarm' } as const)
      : ({ kind: 'unit.crash-loop', severity: 'warning' } as const)
    return putEvent(this.#context, {
      kind,
      severity,
      message: message.slice(0, eventTextMax),
      unit,
      machine,
    })
  }

  async #isFollowed(machine: string, unit: string): Promise<boolean> {
    const { items } = await listAll(this.#context.store, placements.under(machine), 'local')
    for (const item of items) {
      const other = placements.read(item)?.value.unit
      if (other === undefined || other === unit) continue
      const record = await this.#read(units, other)
      if (record !== undefined && this.#rules.of(record)?.rules.machineOf.includes(unit) === true) {
        return true
      }
    }
    return false
  }

  async #read<T, Parts extends readonly string[]>(
    kind: RecordKind<T, Parts>,
    ...parts: Parts
  ): Promise<Stored<T> | undefined> {
    const { items } = await this.#context.store.range({ key: kind.key(...parts) }, 'local')
    return items[0] === undefined ? undefined : kind.read(items[0])
  }
}

const unchanged = (key: string, seen: Stored<unknown> | undefined): Compare => ({
  target: 'modRevision',
  key,
  is: '=',
  to: seen?.modRevision ?? 0,
})
