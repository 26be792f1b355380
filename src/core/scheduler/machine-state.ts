/** A machine while a plan is made, with what is on it. */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { Room } from './room.ts'
import type { SchedulerMachine, SchedulerUnit } from './types.ts'

export interface MachineState {
  machine: SchedulerMachine
  readonly units: Map<UnitName, SchedulerUnit>
  /** Those of `units` whose own patterns may refuse a newcomer. */
  readonly guarded: Set<SchedulerUnit>
  /** What `units` reserve. */
  readonly room: Room
  /** Nothing but its own id. */
  readonly alone: ReadonlySet<MachineId>
  /** Its position among all machines by id, as of the last `MachineTable.settle`. */
  rank: number
}
