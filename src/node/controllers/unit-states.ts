/**
 * Writes what agents report of their units, in batches: one entry in 50 ms at most, however many
 * report. A report that a newer one of the same unit overtakes is never written, nor one that says what
 * the store has: agents tell all again every ten seconds, and of a cluster at rest nothing is written.
 */
import { bytesEqual } from '../../base/bytes.ts'
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

/** What a key is to hold; undefined: nothing. */
interface Report {
  readonly key: string
  readonly value: Uint8Array | undefined
}

export class UnitStates {
  readonly #context: ControllerContext
  readonly #office: Office
  readonly #waiting = new Map<string, Report>()
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
        this.#waiting.set(left, { key: left, value: undefined })
      }
      const value = report.kind === 'gone' ? undefined : states.encode({ ...report.state, machine })
      this.#waiting.set(key, { key, value })
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
    const batch = [...this.#waiting.values()].slice(0, reportsPerTransaction)
    for (const { key } of batch) this.#waiting.delete(key)
    try {
      const then: Operation[] = []
      for (const report of batch) if (await this.#isNews(report)) then.push(operationOf(report))
      const { term } = this.#office
      if (then.length > 0) {
        await this.#context.store.transact({ compare: [], then, otherwise: [], term })
      }
    } catch (error) {
      // The next leader hears every state again: agents tell all when the term changes.
      this.#context.log.debug('states were not written', { cause: describeError(error) })
    }
    this.#writing = false
    if (!this.#office.signal.aborted) this.#schedule()
  }

  /** One at a time writes here: what the store has is not about to change by an earlier report. */
  async #isNews({ key, value }: Report): Promise<boolean> {
    const { items } = await this.#context.store.range({ key }, 'local')
    const seen = items[0]?.value
    if (value === undefined || seen === undefined) return value !== seen
    return !bytesEqual(value, seen)
  }
}

const operationOf = ({ key, value }: Report): Operation =>
  value === undefined ? { kind: 'delete', key } : { kind: 'put', key, value }
