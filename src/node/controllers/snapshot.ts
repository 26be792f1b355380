/** The records as the scheduler sees them: for the leader's plans, and for whoever asks what they would be. */
import { machineId, unitName } from '../../base/ids.ts'
import { features, firstFeatureLevel } from '../../core/records/features.ts'
import type {
  CrashRecord,
  LeavingRecord,
  MachineRecord,
  PlacementRecord,
  UnitRecord,
  VolumeRecord,
} from '../../core/records/schemas.ts'
import { crashesOf } from '../../core/scheduler/crash-loop.ts'
import { noNeeds } from '../../core/scheduler/room.ts'
import type {
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
  Snapshot,
} from '../../core/scheduler/types.ts'
import { capacityOf } from '../../core/units/capacity.ts'

export interface SnapshotRecords {
  readonly machines: Iterable<MachineRecord>
  readonly units: Iterable<UnitRecord>
  readonly placements: Iterable<PlacementRecord>
  /** Whether the fencer of this placement's machine has surely stopped it; none has, if nobody knows. */
  readonly isFenced?: (placement: PlacementRecord) => boolean
  /** By unit. */
  readonly crashOf: (unit: string) => CrashRecord | undefined
  readonly leaving: Iterable<LeavingRecord>
  readonly volumes: Iterable<VolumeRecord>
}

/**
 * `read` gives undefined for a template, and for a file that this binary does not understand. What
 * another release has written and this one cannot read stays where it is: nobody plans for it.
 * `wallMs` is now, for the deadlines of machines that drain, and the pauses of units that crash.
 */
export function snapshotOf(
  records: SnapshotRecords,
  read: (unit: UnitRecord) => SchedulerUnit | undefined,
  wallMs: number,
): Snapshot {
  const units: SchedulerUnit[] = []
  const hashes = new Map<string, string>()
  const beyondUs = new Set<string>()
  for (const record of records.units) {
    const unit = read(record)
    if (unit !== undefined) {
      units.push(withCrashes(unit, record, records.crashOf(record.name), wallMs))
      hashes.set(record.name, record.hash)
    } else if (record.desired !== 'inactive') beyondUs.add(record.name)
  }
  const alone = new Set<string>(
    units.flatMap(({ name, rules }) => (rules.fencing === 'stop' ? [name] : [])),
  )
  return {
    machines: [...records.machines]
      .filter(({ status }) => status !== 'left')
      .map((record) => toMachine(record, wallMs)),
    units,
    placements: [...records.placements]
      .filter(({ unit }) => !beyondUs.has(unit))
      .map((placement) =>
        placementOf(placement, {
          hash: hashes.get(placement.unit),
          isAlone: alone.has(placement.unit),
          isOver: records.isFenced?.(placement) ?? false,
          wallMs,
        }),
      ),
    volumes: [...records.volumes].map(({ name, machine }) => ({
      name,
      machine: machineId(machine),
    })),
    leaving: leavingOf(records, new Set(units.map(({ name }) => name))),
  }
}

/**
 * What units that were destroyed, or told to stop under their placement, have reserved is theirs until
 * they are gone, as it is of others.
 */
function leavingOf(records: SnapshotRecords, known: ReadonlySet<string>): SchedulerLeaving[] {
  const going = [...records.placements].filter(
    ({ unit, fence }) => fence?.leaving === true || !known.has(unit),
  )
  return [...records.leaving, ...going].flatMap(({ unit, machine, needs }) =>
    needs === undefined ? [] : [{ unit: unitName(unit), machine: machineId(machine), needs }],
  )
}

export interface PlacementFacts {
  /** Of the unit's file as it is now; undefined of an unknown unit. */
  readonly hash: string | undefined
  /** The unit must never run twice. */
  readonly isAlone: boolean
  /** Its copy there is surely dead. */
  readonly isOver: boolean
  readonly wallMs: number
}

export function placementOf(
  { unit, machine, fence, moving, needs, hash: before }: PlacementRecord,
  { hash, isAlone, isOver, wallMs }: PlacementFacts,
): SchedulerPlacement {
  const moves = moving !== undefined && moving.untilMs > wallMs
  const known = {
    unit: unitName(unit),
    machine: machineId(machine),
    ...(moves && { moves }),
    ...(hash !== undefined && hash !== before && { renewedFrom: needs ?? noNeeds }),
  }
  if (fence === undefined && !isAlone) return known
  const isLeaving = fence?.leaving === true
  return { ...known, fence: { isLeaving, isOver } }
}

export function withCrashes(
  unit: SchedulerUnit,
  { hash }: UnitRecord,
  crash: CrashRecord | undefined,
  wallMs: number,
): SchedulerUnit {
  const crashes = crashesOf(crash, hash, wallMs)
  return crashes === undefined ? unit : { ...unit, crashes }
}

export function toMachine(record: MachineRecord, wallMs: number): SchedulerMachine {
  const { id, metadata, status, drain } = record
  const isOver = (drain?.deadlineMs ?? Infinity) <= wallMs
  return {
    id: machineId(id),
    metadata,
    status: status === 'ready' ? 'ready' : 'lost',
    drain: drain === undefined ? 'none' : isOver ? 'now' : 'replacing',
    capacity: capacityOf(record),
    ...((record.featureLevel ?? firstFeatureLevel) < features.lifeKeys
      ? { cannotFence: true as const }
      : {}),
  }
}
