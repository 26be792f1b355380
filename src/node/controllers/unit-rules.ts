/**
 * What the files of units say about where they may run. To read one takes a fraction of a
 * millisecond, and a new leader needs all of them for its first plan: five thousand held up its loop
 * for longer than its followers wait for it. So every member reads ahead while others lead.
 */
import { describeError } from '../../base/errors.ts'
import { revision, unitName } from '../../base/ids.ts'
import { units } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { UnitRecord } from '../../core/records/schemas.ts'
import type { SchedulerUnit } from '../../core/scheduler/types.ts'
import { parseUnitName } from '../../core/units/names.ts'
import { parseUnit } from '../../core/units/unit.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { Stretches } from '../../ports/stretches.ts'
import { listAll } from '../member/follow.ts'
import type { StoreAccess } from '../member/store-access.ts'

/** Between two looks whether this machine has a member now, and after its watch has broken. */
const lookMs = 1000

interface Read {
  readonly modRevision: number
  readonly hash: string
  readonly unit: SchedulerUnit | undefined
}

export class UnitRules {
  readonly #read = new Map<string, Read>()

  /** Undefined for a template, and for a file that this binary does not understand. */
  of({ key, modRevision, value }: Stored<UnitRecord>): SchedulerUnit | undefined {
    const known = this.#read.get(key)
    if (known?.modRevision === modRevision) return known.unit
    // To start or stop a unit changes its record and not what its file says.
    const isSameFile = known?.unit !== undefined && known.hash === value.hash
    const unit = isSameFile ? { ...known.unit, wanted: isWanted(value) } : toSchedulerUnit(value)
    this.#read.set(key, { modRevision, hash: value.hash, unit })
    return unit
  }

  /** Reads what is new among all units there are, a stretch at a time, and forgets those that went. */
  async readAll(
    all: ReadonlyMap<string, Stored<UnitRecord>>,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<void> {
    const stretches = new Stretches(clock, signal)
    for (const item of all.values()) {
      this.of(item)
      if (stretches.isOver) await stretches.rest()
      if (signal.aborted) return
    }
    if (this.#read.size <= all.size) return
    for (const key of this.#read.keys()) if (!all.has(key)) this.#read.delete(key)
  }

  forget(key: string): void {
    this.#read.delete(key)
  }
}

type OwnStore = Pick<StoreAccess, 'range' | 'watch'>

export interface ReadAheadOptions {
  readonly rules: UnitRules
  /** Undefined while this machine is no member: it will not lead then. */
  readonly store: () => OwnStore | undefined
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** Runs until `signal` aborts. Never rejects. */
export async function readUnitsAhead(options: ReadAheadOptions): Promise<void> {
  const { store, clock, log, signal } = options
  while (!signal.aborted) {
    const own = store()
    try {
      if (own !== undefined) await readOf(own, options)
    } catch (error) {
      log.debug('units are not read ahead for now', { cause: describeError(error) })
    }
    await sleep(clock, lookMs, signal)
  }
}

async function readOf(store: OwnStore, { rules, clock, signal }: ReadAheadOptions): Promise<void> {
  const listed = await listAll(store, units.range, 'local')
  const items = listed.items.flatMap((item) => units.read(item) ?? [])
  await rules.readAll(new Map(items.map((item) => [item.key, item])), clock, signal)
  const fromRevision = revision(listed.revision + 1)
  const stretches = new Stretches(clock, signal)
  for await (const { events } of store.watch({ ...units.range, fromRevision }, signal)) {
    for (const event of events) {
      if (stretches.isOver) await stretches.rest()
      const item = event.kind === 'put' ? units.read(event.item) : undefined
      if (item !== undefined) rules.of(item)
      else if (event.kind === 'delete') rules.forget(event.key)
    }
  }
}

const isWanted = ({ desired }: UnitRecord): boolean => desired !== 'inactive'

/** Undefined for a template, and for a file that this binary does not understand. */
export function toSchedulerUnit(record: UnitRecord): SchedulerUnit | undefined {
  const parsedName = parseUnitName(record.name)
  if (!parsedName.ok || parsedName.name.kind === 'template') return undefined
  const parsed = parseUnit(record.name, record.file, { file: record.name })
  if (!parsed.ok) return undefined
  return {
    name: unitName(record.name),
    wanted: isWanted(record),
    rules: parsed.spec.placement,
    needs: parsed.spec.needs,
  }
}
