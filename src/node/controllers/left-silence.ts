/**
 * Of machines that have left, whether their agents are still heard: what is on one that is not, nobody
 * tells of, and whoever takes it out has to say that it is off.
 */
import { machineId } from '../../base/ids.ts'
import { isSilent } from '../../core/liveness/left.ts'
import type { PulseTable } from '../../core/liveness/pulse-table.ts'
import { machines } from '../../core/records/keyspace.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import type { RecordView } from '../member/follow.ts'
import type { ControllerContext, Office } from './context.ts'

export interface LeftSilenceOptions {
  readonly context: ControllerContext
  readonly office: Office
  readonly table: PulseTable
}

/** Writes it where it has changed. Rejects as `transact` does. */
export async function noteLeftSilence(
  { context, office, table }: LeftSilenceOptions,
  view: RecordView<MachineRecord, [string]>,
): Promise<void> {
  const nowMs = context.clock.monotonicMs()
  for (const { key, value, modRevision } of view.items.values()) {
    if (value.status !== 'left') continue
    const { silent: before, ...record } = value
    const heardAtMs = table.heardAtMs(machineId(value.id))
    const silent = isSilent({ heardAtMs, tookOfficeMs: office.tookOfficeMs, nowMs })
    if (silent === undefined || silent === (before ?? false)) continue
    await context.store.transact({
      compare: [{ target: 'modRevision', key, is: '=', to: modRevision }],
      then: [machines.put(silent ? { ...record, silent } : record, value.id)],
      otherwise: [],
      term: office.term,
    })
  }
}
