/** What lists and plans need to know of every unit's file, read once. */
import { unitName } from '../../base/ids.ts'
import type { Needs } from '../../base/room.ts'
import type { UnitRecord } from '../../core/records/schemas.ts'
import { noNeeds } from '../../core/scheduler/room.ts'
import type { SchedulerRules, SchedulerUnit } from '../../core/scheduler/types.ts'
import { parseUnitName } from '../../core/units/names.ts'
import { parseUnit } from '../../core/units/unit.ts'
import { Stretches } from '../../ports/stretches.ts'
import type { Consistency, StoreAccess } from '../member/store-access.ts'
import type { ApiContext } from './context.ts'
import { type ClusterRecords, readCluster } from './records.ts'

export interface UnitFacts {
  readonly description: string
  readonly isGlobal: boolean
  readonly needs: Needs
  /** Undefined for a file that this binary does not understand. */
  readonly rules: SchedulerRules | undefined
}

const unknown: UnitFacts = { description: '', isGlobal: false, needs: noNeeds, rules: undefined }

interface Known {
  readonly hash: string
  readonly facts: UnitFacts
}

/**
 * By name, with the hash that says which file: lists are asked for often, and to read a file takes a
 * fraction of a millisecond. Invariant: at most `strangersMax` more than the units that were listed last.
 */
const known = new Map<string, Known>()
/** Of units that are asked about and are not there, or not any more. */
const strangersMax = 1000
let listed = 0

export function factsOf({ name, hash, file }: UnitRecord): UnitFacts {
  const found = known.get(name)
  if (found?.hash === hash) return found.facts
  const parsed = parseUnit(name, file)
  const facts = parsed.ok
    ? {
        description: parsed.spec.description,
        isGlobal: parsed.spec.placement.global,
        needs: parsed.spec.needs,
        rules: parsed.spec.placement,
      }
    : unknown
  if (known.size >= listed + strangersMax) known.clear()
  known.set(name, { hash, facts })
  return facts
}

export const isGlobal = (unit: UnitRecord): boolean => factsOf(unit).isGlobal

/** As the placement controller reads it. Undefined for a template, and for what is not understood. */
export function schedulerUnitOf(record: UnitRecord): SchedulerUnit | undefined {
  const { needs, rules } = factsOf(record)
  const parsed = parseUnitName(record.name)
  if (rules === undefined || !parsed.ok || parsed.name.kind === 'template') return undefined
  return { name: unitName(record.name), wanted: record.desired !== 'inactive', rules, needs }
}

/**
 * As `readCluster`, and every unit's file is read, a stretch at a time: ten thousand at once hold the
 * loop for longer than an election takes. For whoever asks for the facts of many.
 */
export async function readWithFacts(
  { store, clock }: Pick<ApiContext, 'store' | 'clock'>,
  consistency: Consistency = 'local',
): Promise<ClusterRecords> {
  const stretches = new Stretches(clock)
  const rested: Pick<StoreAccess, 'range'> = {
    range: async (request, how) => {
      if (stretches.isOver) await stretches.rest()
      return store.range(request, how)
    },
  }
  const records = await readCluster(rested, consistency)
  listed = records.units.size
  if (known.size > listed) {
    for (const name of known.keys()) if (!records.units.has(name)) known.delete(name)
  }
  for (const unit of records.units.values()) {
    factsOf(unit)
    if (stretches.isOver) await stretches.rest()
  }
  return records
}
