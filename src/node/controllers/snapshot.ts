/** The records as the scheduler sees them: for the leader's plans, and for whoever asks what they would be. */
import { machineId, unitName } from '../../base/ids.ts'
import type { MachineRecord, PlacementRecord, UnitRecord } from '../../core/records/schemas.ts'
import type { SchedulerMachine, SchedulerUnit, Snapshot } from '../../core/scheduler/types.ts'
import { capacityOf } from '../../core/units/capacity.ts'

export interface SnapshotRecords {
  readonly machines: Iterable<MachineRecord>
  readonly units: Iterable<UnitRecord>
  readonly placements: Iterable<PlacementRecord>
}

/**
 * `read` gives undefined for a template, and for a file that this binary does not understand. What
 * another release has written and this one cannot read stays where it is: nobody plans for it.
 */
export function snapshotOf(
  records: SnapshotRecords,
  read: (unit: UnitRecord) => SchedulerUnit | undefined,
): Snapshot {
  const units: SchedulerUnit[] = []
  const beyondUs = new Set<string>()
  for (const record of records.units) {
    const unit = read(record)
    if (unit !== undefined) units.push(unit)
    else if (record.desired !== 'inactive') beyondUs.add(record.name)
  }
  return {
    machines: [...records.machines].filter(({ status }) => status !== 'left').map(toMachine),
    units,
    placements: [...records.placements]
      .filter(({ unit }) => !beyondUs.has(unit))
      .map(({ unit, machine }) => ({ unit: unitName(unit), machine: machineId(machine) })),
  }
}

function toMachine(record: MachineRecord): SchedulerMachine {
  const { id, metadata, status } = record
  return {
    id: machineId(id),
    metadata,
    status: status === 'ready' ? 'ready' : 'lost',
    capacity: capacityOf(record),
  }
}
