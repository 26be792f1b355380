/** Placements of units that must never run twice: how they are marked, and how they end. */
import type { MachineId, UnitName } from '../../base/ids.ts'
import { machineId } from '../../base/ids.ts'
import { machines, placements, states } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { MachineRecord, PlacementRecord } from '../../core/records/schemas.ts'
import type { SchedulerRules } from '../../core/scheduler/types.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import { unchanged } from '../enrol/context.ts'
import type { RecordView } from '../member/follow.ts'

/** What of a placement says that its unit must never run twice; `before`: as it stands, if it does. */
export function fenceOf(
  rules: SchedulerRules | undefined,
  before?: PlacementRecord,
): Pick<PlacementRecord, 'fence'> {
  if (rules?.fencing !== 'stop') return {}
  const graceMs = rules.fencingGraceMs
  const isStricter = before !== undefined && (before.fence?.graceMs ?? Infinity) > graceMs
  const changed = isStricter || before?.fence?.changed === true
  return { fence: { graceMs, ...(changed && { changed: true as const }) } }
}

/** The unit is to stop there for good. Its placement stays until the agent says that it has. */
export function toLeave({ value }: Stored<PlacementRecord>): Operation {
  const { graceMs, changed } = value.fence ?? { graceMs: 0, changed: true }
  const fence = { graceMs, leaving: true, ...(changed && { changed }) } as const
  return placements.put({ ...value, desired: 'loaded', fence }, value.machine, value.unit)
}

/** The placement goes, and with it what the machine last said of the unit. */
export const taken = (machine: string, unit: string): Operation[] => [
  { kind: 'delete', key: placements.key(machine, unit) },
  { kind: 'delete', key: states.key(machine, unit) },
]

/** Until the fencer of a machine that is not ready has surely stopped a unit with this grace. */
export type FencedInMs = (machine: MachineId, graceMs: number) => number

/** Copies on machines that are lost or gone. */
export class Fences {
  readonly #machines: Pick<RecordView<MachineRecord, [string]>, 'get'>
  readonly #placements: Pick<RecordView<PlacementRecord, [string, string]>, 'get'>
  readonly #fencedInMs: FencedInMs

  constructor(
    machineRecords: Pick<RecordView<MachineRecord, [string]>, 'get'>,
    placementRecords: Pick<RecordView<PlacementRecord, [string, string]>, 'get'>,
    fencedInMs: FencedInMs,
  ) {
    this.#machines = machineRecords
    this.#placements = placementRecords
    this.#fencedInMs = fencedInMs
  }

  /** Until the copy is surely dead; undefined where its machine is there, or it is dead. */
  leftMs({ fence, machine }: PlacementRecord): number | undefined {
    if (fence === undefined || this.#isReady(machine)) return undefined
    const leftMs = this.#fencedInMs(machineId(machine), fence.graceMs)
    return leftMs > 0 ? leftMs : undefined
  }

  /** The copy is surely dead. `isHeard`: its agent has said that it has what the placement says. */
  isOver(placement: PlacementRecord, isHeard: boolean): boolean {
    const { fence, machine } = placement
    if (fence === undefined || this.#isReady(machine)) return false
    // What it was told to leave it may have never heard to be a unit that must not run twice.
    if (fence.changed === true && (fence.leaving === true || !isHeard)) return false
    return this.leftMs(placement) === undefined
  }

  /** A machine that returns at this moment takes up its units: they are not taken from it any more. */
  returnGuards(machine: MachineId, unit: UnitName): Compare[] {
    const isFenced = this.#placements.get(machine, unit)?.value.fence !== undefined
    return isFenced ? [unchanged(machines.key(machine), this.#machines.get(machine))] : []
  }

  #isReady(machine: string): boolean {
    return this.#machines.get(machine)?.value.status === 'ready'
  }
}
