/** What a machine reports of one unit. */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { DesiredUnit, UnitCondition, UnitMemory } from '../../core/reconcile/types.ts'
import type { UnitStateRecord } from '../../core/records/schemas.ts'

/** Of the record's texts. */
const textMax = 1024

export interface StateContext {
  readonly machine: MachineId
  readonly memory: UnitMemory | undefined
  readonly placed: DesiredUnit | undefined
  /** What was reported last. */
  readonly before: UnitStateRecord | undefined
  readonly wallMs: number
}

export function stateOf(
  unit: UnitName,
  condition: UnitCondition,
  { machine, memory, placed, before, wallMs }: StateContext,
): UnitStateRecord {
  const same =
    before?.active === condition.active &&
    before.sub === condition.sub &&
    before.containerId === condition.containerId
  return {
    v: 1,
    unit,
    machine,
    generation: memory?.generation ?? placed?.generation ?? before?.generation ?? 0,
    hash: memory?.hash ?? placed?.hash ?? before?.hash ?? '',
    ...condition,
    image: condition.image.slice(0, textMax),
    message: condition.message.slice(0, textMax),
    sinceMs: same ? before.sinceMs : wallMs,
  }
}
