/** Keeps the store small: old events, redeemed nonces that have expired, and history. */
import { describeError } from '../../base/errors.ts'
import { type Revision, revision } from '../../base/ids.ts'
import { crashes, eventKey, events, nonces, units } from '../../core/records/keyspace.ts'
import { isForgotten } from '../../core/scheduler/crash-loop.ts'
import type { Operation } from '../../core/store/types.ts'
import { sleep } from '../../ports/clock.ts'
import type { ControllerContext, Office } from './context.ts'

const everyMs = 60_000
/** Events older than this go; and beyond `eventsMax`, the oldest. */
const eventsKeptMs = 7 * 24 * 3_600_000
export const eventsMax = 10_000
/** History is kept this long, so that a reader that was away for a while still catches up. */
const historyRounds = 10
const expiredNoncesPerRound = 400
const crashesPerRound = 100
const eventsTrimmedTogether = 4000

export class Housekeeping {
  readonly #context: ControllerContext
  readonly #office: Office
  /** The store's revision in each of the last rounds, oldest first. */
  #marks: Revision[] = []

  constructor(context: ControllerContext, office: Office) {
    this.#context = context
    this.#office = office
  }

  start(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#office.signal.aborted) {
      await sleep(this.#context.clock, everyMs, this.#office.signal)
      if (this.#office.signal.aborted) return
      try {
        await this.#trim()
        await this.#forgetHistory()
      } catch (error) {
        this.#context.log.debug('housekeeping is put off', { cause: describeError(error) })
      }
    }
  }

  async #trim(): Promise<void> {
    const { store, clock } = this.#context
    const nowMs = clock.wallMs()
    const then: Operation[] = []
    const { items } = await store.range({ ...events.range, keysOnly: true }, 'local')
    const byAge = events.key(eventKey(Math.max(0, nowMs - eventsKeptMs), ''))
    const byCount = items[items.length - eventsMax]?.key ?? events.range.key
    // More at once than a transaction may delete would be refused, each time again.
    const atMost = items[eventsTrimmedTogether]?.key
    const wanted = byAge > byCount ? byAge : byCount
    const until = atMost !== undefined && atMost < wanted ? atMost : wanted
    const first = items[0]?.key
    if (first !== undefined && first < until) {
      then.push({ kind: 'delete', key: events.range.key, rangeEnd: until })
    }
    const redeemed = await store.range(nonces.range, 'local')
    for (const item of redeemed.items) {
      if (then.length >= expiredNoncesPerRound) break
      const record = nonces.read(item)
      if (record === undefined || record.value.expiresMs > nowMs) continue
      then.push({ kind: 'delete', key: item.key })
    }
    then.push(...(await this.#oldCrashes(nowMs)))
    if (then.length === 0) return
    await store.transact({ compare: [], then, otherwise: [], term: this.#office.term })
  }

  /** Crash loops that say nothing any more, and those of units that are gone. */
  async #oldCrashes(nowMs: number): Promise<Operation[]> {
    const { store } = this.#context
    const old: Operation[] = []
    const { items } = await store.range({ ...crashes.range, limit: crashesPerRound }, 'local')
    for (const item of items) {
      const crash = crashes.read(item)?.value
      if (crash === undefined) continue
      const unit = await store.range({ key: units.key(crash.unit), keysOnly: true }, 'local')
      const isOver = !crash.parked && isForgotten(crash, nowMs)
      if (isOver || unit.items.length === 0) old.push({ kind: 'delete', key: item.key })
    }
    return old
  }

  async #forgetHistory(): Promise<void> {
    const { store } = this.#context
    this.#marks.push(store.member.store.revision)
    if (this.#marks.length <= historyRounds) return
    const oldest = this.#marks.shift() ?? revision(0)
    if (oldest > store.member.store.floor) await store.compact(oldest)
  }
}
