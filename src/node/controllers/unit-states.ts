/**
 * Writes what agents report of their units, in batches: one entry in 50 ms at most, however many
 * report. A report that a newer one of the same unit overtakes is never written.
 */
import { describeError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import { leaving, states } from '../../core/records/keyspace.ts'
import type { Operation } from '../../core/store/types.ts'
import { parseUnitName } from '../../core/units/names.ts'
import type { Timer } from '../../ports/clock.ts'
import type { UnitReport } from '../member/pulse-types.ts'
import type { ControllerContext, Office } from './context.ts'

const batchEveryMs = 50
const reportsPerTransaction = 512
/** Units whose reports wait; agents report all again every ten seconds, so more are dropped. */
const maxWaiting = 100_000

export class UnitStates {
  readonly #context: ControllerContext
  readonly #office: Office
  readonly #waiting = new Map<string, Operation>()
  #timer: Timer | undefined
  #writing = false

  constructor(context: ControllerContext, office: Office) {
    this.#context = context
    this.#office = office
  }

  take(machine: MachineId, reports: readonly UnitReport[]): void {
    for (const report of reports) {
      const unit = report.kind === 'gone' ? report.unit : report.state.unit
      // Agents read names off containers, which anybody may have labelled.
      if (!parseUnitName(unit).ok) continue
      const key = states.key(machine, unit)
      if (this.#waiting.size >= maxWaiting && !this.#waiting.has(key)) continue
      if (report.kind === 'gone') {
        // Nothing of it is left there: what it held is free.
        const left = leaving.key(machine, unit)
        this.#waiting.set(left, { kind: 'delete', key: left })
      }
      this.#waiting.set(
        key,
        report.kind === 'gone'
          ? { kind: 'delete', key }
          : states.put({ ...report.state, machine }, machine, unit),
      )
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#writing || this.#timer !== undefined || this.#waiting.size === 0) return
    this.#timer = this.#context.clock.after(batchEveryMs, () => {
      this.#timer = undefined
      void this.#write()
    })
  }

  async #write(): Promise<void> {
    this.#writing = true
    const batch = [...this.#waiting].slice(0, reportsPerTransaction)
    for (const [key] of batch) this.#waiting.delete(key)
    try {
      await this.#context.store.transact({
        compare: [],
        then: batch.map(([, operation]) => operation),
        otherwise: [],
        term: this.#office.term,
      })
    } catch (error) {
      // The next leader hears every state again: agents tell all when the term changes.
      this.#context.log.debug('states were not written', { cause: describeError(error) })
    }
    this.#writing = false
    if (!this.#office.signal.aborted) this.#schedule()
  }
}
