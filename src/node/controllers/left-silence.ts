/**
 * Of machines that have left, whether their agents are still heard: what is on one that is not, nobody
 * tells of, and whoever takes it out has to say that it is off.
 */
import { describeError } from '../../base/errors.ts'
import { machineId } from '../../base/ids.ts'
import { isSilent } from '../../core/liveness/left.ts'
import type { PulseTable } from '../../core/liveness/pulse-table.ts'
import { machines } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import type { RecordView } from '../member/follow.ts'
import type { ControllerContext, Office } from './context.ts'

export interface LeftSilenceOptions {
  readonly context: ControllerContext
  readonly office: Office
  readonly table: PulseTable
}

export class LeftSilence {
  readonly #options: LeftSilenceOptions
  #isWriting = false

  constructor(options: LeftSilenceOptions) {
    this.#options = options
  }

  /** Begins to write what has changed. Nobody waits for it: the dead are looked for meanwhile. */
  look(view: RecordView<MachineRecord, [string]>): void {
    if (this.#isWriting) return
    const changed = [...view.items.values()].flatMap((item) => this.#changed(item) ?? [])
    if (changed.length > 0) void this.#write(changed)
  }

  #changed(item: Stored<MachineRecord>): Stored<MachineRecord> | undefined {
    const { context, office, table } = this.#options
    if (item.value.status !== 'left') return undefined
    const { silent: before = false, ...record } = item.value
    const silent = isSilent({
      heardAtMs: table.heardAtMs(machineId(record.id)),
      tookOfficeMs: office.tookOfficeMs,
      nowMs: context.clock.monotonicMs(),
    })
    if (silent === undefined || silent === before) return undefined
    return { ...item, value: silent ? { ...record, silent } : record }
  }

  async #write(changed: readonly Stored<MachineRecord>[]): Promise<void> {
    const { context, office } = this.#options
    this.#isWriting = true
    try {
      for (const { key, modRevision, value } of changed) {
        await context.store.transact({
          compare: [{ target: 'modRevision', key, is: '=', to: modRevision }],
          then: [machines.put(value, value.id)],
          otherwise: [],
          term: office.term,
        })
      }
    } catch (error) {
      // The next look tries again.
      context.log.debug('who left was not written of', { cause: describeError(error) })
    }
    this.#isWriting = false
  }
}
