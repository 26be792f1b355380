/** The records as the scheduler sees them: for the leader's plans, and for whoever asks what they would be. */
import { machineId, type UnitName, unitName } from '../../base/ids.ts'
import { features, firstFeatureLevel } from '../../core/records/features.ts'
import { generationOf, states } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type {
  CrashRecord,
  LeavingRecord,
  MachineRecord,
  PlacementRecord,
  UnitRecord,
  UnitStateRecord,
  VolumeRecord,
} from '../../core/records/schemas.ts'
import { crashesOf } from '../../core/scheduler/crash-loop.ts'
import type {
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
  Snapshot,
} from '../../core/scheduler/types.ts'
import { capacityOf } from '../../core/units/capacity.ts'
import type { RecordView } from '../member/follow.ts'
import type { StoreAccess } from '../member/store-access.ts'

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
  const beyondUs = new Set<string>()
  for (const record of records.units) {
    const unit = read(record)
    if (unit !== undefined) units.push(withCrashes(unit, record, records.crashOf, wallMs))
    else if (record.desired !== 'inactive') beyondUs.add(record.name)
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
      .map((placement) => toPlacement(placement, records, alone, wallMs)),
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

/** Whether its agent says that it has stopped, `withRuns` adds. */
function toPlacement(
  placement: PlacementRecord,
  { isFenced }: SnapshotRecords,
  alone: ReadonlySet<string>,
  wallMs: number,
): SchedulerPlacement {
  const { unit, machine, fence, moving } = placement
  const moves = moving !== undefined && moving.untilMs > wallMs
  const place = { unit: unitName(unit), machine: machineId(machine) }
  const known = moves ? { ...place, moves } : place
  if (fence === undefined && !alone.has(unit)) return known
  const isLeaving = fence?.leaving === true
  return { ...known, fence: { isLeaving, isOver: isFenced?.(placement) ?? false } }
}

function withCrashes(
  unit: SchedulerUnit,
  { name, hash }: UnitRecord,
  crashOf: SnapshotRecords['crashOf'],
  wallMs: number,
): SchedulerUnit {
  const crashes = crashesOf(crashOf(name), hash, wallMs)
  return crashes === undefined ? unit : { ...unit, crashes }
}

function toMachine(record: MachineRecord, wallMs: number): SchedulerMachine {
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

/**
 * Placements of units that are on several machines, but for global ones; those of units that were
 * told to stop before they go elsewhere; and while something moves, those of kinds of which so many
 * must be available.
 */
export function askedOf({ units, placements, machines }: Snapshot): readonly SchedulerPlacement[] {
  const isMoving =
    machines.some(({ drain }) => drain !== 'none') || placements.some(({ moves }) => moves)
  const counted = new Set(
    units.flatMap(({ name, rules }) => (isMoving && rules.minAvailable > 0 ? [name] : [])),
  )
  const globals = new Set(units.flatMap(({ name, rules }) => (rules.global ? [name] : [])))
  const counts = new Map<UnitName, number>()
  for (const { unit } of placements) {
    if (!globals.has(unit)) counts.set(unit, (counts.get(unit) ?? 0) + 1)
  }
  return placements.filter(
    ({ unit, fence }) =>
      fence?.isLeaving === true || (counts.get(unit) ?? 0) > 1 || counted.has(unit),
  )
}

/**
 * Whether each of the placements does its work by now, as its agent says, or has stopped if it was told
 * to: by `placedKey`.
 */
export async function runningOf(
  asked: readonly SchedulerPlacement[],
  store: Pick<StoreAccess, 'range'>,
  placed: Pick<RecordView<PlacementRecord, [string, string]>, 'get'>,
): Promise<ReadonlyMap<string, boolean>> {
  const running = new Map<string, boolean>()
  for (const { machine, unit } of asked) {
    const placement = placed.get(machine, unit)
    if (placement !== undefined) running.set(placedKey(placement), await runs(store, placement))
  }
  return running
}

/** This placement as it is now: once it is to stop, what was said before says nothing. */
const placedKey = ({ key, modRevision }: Stored<PlacementRecord>): string => `${key} ${modRevision}`

export function withRuns(
  snapshot: Snapshot,
  running: ReadonlyMap<string, boolean>,
  placed: Pick<RecordView<PlacementRecord, [string, string]>, 'get'>,
): Snapshot {
  if (running.size === 0) return snapshot
  const placements = snapshot.placements.map((each) => {
    const placement = placed.get(each.machine, each.unit)
    const isRunning = placement === undefined ? undefined : running.get(placedKey(placement))
    if (isRunning === undefined) return each
    if (each.fence?.isLeaving !== true) return { ...each, runs: isRunning }
    return isRunning ? { ...each, fence: { isLeaving: true, isOver: true } } : each
  })
  return { ...snapshot, placements }
}

/** What the agent has said of this placement, and of none before it. */
async function stateOf(
  store: Pick<StoreAccess, 'range'>,
  placement: Stored<PlacementRecord>,
): Promise<UnitStateRecord | undefined> {
  const { machine, unit } = placement.value
  const { items } = await store.range({ key: states.key(machine, unit) }, 'local')
  const state = items[0] === undefined ? undefined : states.read(items[0])?.value
  return state?.generation === generationOf(placement) ? state : undefined
}

/** It runs, it has done what it had to, or it is only to be loaded. */
async function runs(
  store: Pick<StoreAccess, 'range'>,
  placement: Stored<PlacementRecord>,
): Promise<boolean> {
  const { desired, fence } = placement.value
  if (fence?.leaving === true) return (await stateOf(store, placement))?.released === true
  if (desired === 'loaded') return true
  const state = await stateOf(store, placement)
  if (state === undefined) return false
  return state.active === 'active' || (state.active === 'inactive' && state.containerId !== '')
}
