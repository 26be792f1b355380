/**
 * The units placed on this machine, with their files read. The first list is linearizable, and
 * nothing is known before it; later ones are never older than what was seen before.
 */
import { describeError } from '../../base/errors.ts'
import { type MachineId, type Revision, type UnitName, unitName } from '../../base/ids.ts'
import type { DesiredUnit, UnitRules } from '../../core/reconcile/types.ts'
import { generationOf, placements, units } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { PlacementRecord } from '../../core/records/schemas.ts'
import type { KeyValue, StoreEvent } from '../../core/store/types.ts'
import type { UnitSpec } from '../../core/units/types.ts'
import { parseUnit } from '../../core/units/unit.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { type Follower, follow, RecordView } from '../member/follow.ts'
import type { StoreAccess } from '../member/store-access.ts'

/** Between two reads of a unit that was not there, or not as it was placed. */
const readAgainAfterMs = 200
/** Of a unit's problems, in a state. */
const reasonsMax = 3

export interface PlacedUnitsOptions {
  readonly machineId: MachineId
  readonly store: StoreAccess
  readonly clock: Clock
  readonly log: Log
  readonly onChange: () => void
  /** After each whole list: what went before it went unseen. */
  readonly onListed: () => void
  /** Before `onChange`. */
  readonly onTakenOff: (unit: UnitName) => void
}

interface ReadUnit {
  readonly hash: string
  readonly plan: DesiredUnit['plan']
  readonly spec: UnitSpec | undefined
}

export class PlacedUnits implements Follower {
  readonly #options: PlacedUnitsOptions
  readonly #view: RecordView<PlacementRecord, [string, string]>
  readonly #read = new Map<UnitName, ReadUnit>()
  #signal: AbortSignal | undefined
  /** The highest revision at which these placements were seen. */
  #highest = 0

  constructor(options: PlacedUnitsOptions) {
    this.#options = options
    this.#view = new RecordView(placements, () => undefined)
  }

  /** Runs until `signal` aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const { store, clock, log, machineId } = this.#options
    const range = placements.under(machineId)
    return follow({
      store,
      clock,
      log,
      range,
      follower: this,
      signal,
      consistency: 'linearizable',
    })
  }

  /** Undefined before the first list, and while the list is older than one seen before. */
  get desired(): readonly DesiredUnit[] | undefined {
    const { at } = this.#view
    if (at === undefined || at < this.#highest) return undefined
    return this.#view.values.map(({ unit }) => this.#desiredUnit(unit))
  }

  /** The unit's file as placed; undefined while it is not read, or cannot be. */
  specOf(unit: UnitName, hash: string): UnitSpec | undefined {
    const read = this.#read.get(unit)
    return read?.hash === hash ? read.spec : undefined
  }

  reset(items: readonly KeyValue[], at: Revision): void {
    if (at < this.#highest) {
      this.#options.log.warn('the placements were told as of the past; waiting', {
        at,
        seen: this.#highest,
      })
    }
    this.#view.reset(items, at)
    this.#changed(at)
    this.#options.onListed()
  }

  change(events: readonly StoreEvent[], at: Revision): void {
    this.#view.change(events, at)
    for (const event of events) {
      const [, unit] = event.kind === 'delete' ? placements.partsOf(event.key) : []
      if (unit !== undefined) this.#options.onTakenOff(unitName(unit))
    }
    if (events.length > 0) this.#changed(at)
    else this.#highest = Math.max(this.#highest, at)
  }

  #changed(at: Revision): void {
    this.#highest = Math.max(this.#highest, at)
    const placed = new Set<string>()
    for (const stored of this.#view.items.values()) {
      placed.add(stored.value.unit)
      this.#readUnit(stored)
    }
    for (const unit of this.#read.keys()) if (!placed.has(unit)) this.#read.delete(unit)
    this.#options.onChange()
  }

  #desiredUnit(unit: string): DesiredUnit {
    const name = unitName(unit)
    const stored = this.#placementOf(name) as Stored<PlacementRecord>
    const { hash, desired, fence } = stored.value
    const isLeaving = fence?.leaving === true
    const read = this.#read.get(name)
    const plan = read?.hash === hash ? read.plan : ({ kind: 'reading' } as const)
    return { name, generation: generationOf(stored), hash, desired, isLeaving, plan }
  }

  #placementOf(unit: UnitName): Stored<PlacementRecord> | undefined {
    return this.#view.get(this.#options.machineId, unit)
  }

  #readUnit(placed: Stored<PlacementRecord>): void {
    const name = unitName(placed.value.unit)
    const { hash } = placed.value
    if (this.#read.get(name)?.hash === hash) return
    this.#read.set(name, { hash, plan: { kind: 'reading' }, spec: undefined })
    void this.#readUntilFound(name, hash, placed.modRevision)
  }

  async #readUntilFound(name: UnitName, hash: string, atLeast: Revision): Promise<void> {
    const isWanted = (): boolean =>
      this.#signal?.aborted !== true && this.#placementOf(name)?.value.hash === hash
    while (isWanted()) {
      let read: ReadUnit | undefined
      try {
        read = await this.#readOnce(name, hash, atLeast)
      } catch (error) {
        this.#options.log.warn('a unit could not be read', {
          unit: name,
          cause: describeError(error),
        })
      }
      if (!isWanted()) return
      if (read !== undefined) {
        this.#read.set(name, read)
        this.#options.onChange()
        if (read.plan.kind !== 'refused' || read.plan.load !== 'not-found') return
      }
      await sleep(this.#options.clock, readAgainAfterMs, this.#signal)
    }
  }

  async #readOnce(name: UnitName, hash: string, atLeast: Revision): Promise<ReadUnit> {
    const { store } = this.#options
    const request = { key: units.key(name) }
    let result = await store.range(request, 'local')
    if (result.revision < atLeast) result = await store.range(request, 'linearizable')
    const record = result.items[0] === undefined ? undefined : units.read(result.items[0])?.value
    if (record?.hash !== hash) {
      const message = 'the unit is not in the store as it was placed'
      return { hash, plan: { kind: 'refused', load: 'not-found', message }, spec: undefined }
    }
    const parsed = parseUnit(name, record.file)
    if (parsed.ok) {
      return { hash, plan: { kind: 'ready', rules: rulesOf(parsed.spec) }, spec: parsed.spec }
    }
    const reasons = parsed.problems.map(({ line, reason }) => `line ${line}: ${reason}`)
    const message = reasons.slice(0, reasonsMax).join('; ')
    return { hash, plan: { kind: 'refused', load: 'error', message }, spec: undefined }
  }
}

/** A global unit has no other machine. */
const nowhereElse = { burst: Infinity, steadyMs: 0 }

const rulesOf = (spec: UnitSpec): UnitRules => ({
  restart: spec.restart,
  restartDelayMs: spec.restartDelayMs,
  startLimit: spec.placement.global ? nowhereElse : spec.startLimit,
  ignoreFailure: spec.container.ignoreFailure,
  after: spec.dependencies.after,
  requires: spec.dependencies.requires,
  bindsTo: spec.dependencies.bindsTo,
})
