/**
 * The leader's alarm for a store that is full: written when a write was refused or little room is
 * left, and taken away by itself once there is room again and nobody was refused for a while.
 */
import { describeError } from '../../base/errors.ts'
import { quotaAlarm } from '../../core/records/keyspace.ts'
import { sleep } from '../../ports/clock.ts'
import { roomInMiB } from '../member/quota-gate.ts'
import { type ControllerContext, type Office, putEvent } from './context.ts'

const everyMs = 1000
/** Of what users may use. */
const raisedFrom = 0.95
const clearedBelow = 0.9
/** Nobody was refused for this long. */
const calmMs = 10_000

export class QuotaAlarm {
  readonly #context: ControllerContext
  readonly #office: Office

  constructor(context: ControllerContext, office: Office) {
    this.#context = context
    this.#office = office
  }

  start(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#context
    const { signal } = this.#office
    while (!signal.aborted) {
      try {
        await this.#look()
      } catch (error) {
        log.debug('the alarm of a full store is put off', { cause: describeError(error) })
      }
      await sleep(clock, everyMs, signal)
    }
  }

  async #look(): Promise<void> {
    const { store } = this.#context
    const { gate } = store
    const room = gate.room()
    const share = room.usedBytes / (room.quotaBytes - room.reserveBytes)
    const isRefusing = (gate.refusedForMs ?? Infinity) < calmMs
    const isRaised = store.member.store.get(quotaAlarm.key('alarm')) !== undefined
    if (!isRaised && (isRefusing || share >= raisedFrom)) await this.#raise()
    else if (isRaised && !isRefusing && share < clearedBelow) await this.#clear()
  }

  async #raise(): Promise<void> {
    const { store, clock } = this.#context
    const room = store.gate.room()
    const { used, users } = roomInMiB(room)
    const event = putEvent(this.#context, {
      kind: 'store.full',
      severity: 'alarm',
      code: 'JGD_STORE_FULL',
      message: `the store is full, or nearly: ${used} of ${users} MiB; writes that need more are refused`,
    })
    const alarm = quotaAlarm.put({ v: 1, sinceMs: clock.wallMs(), ...room }, 'alarm')
    const then = [alarm, event]
    await store.transact({ compare: [], then, otherwise: [], term: this.#office.term })
  }

  async #clear(): Promise<void> {
    const { store } = this.#context
    const { used, users } = roomInMiB(store.gate.room())
    const event = putEvent(this.#context, {
      kind: 'store.has-room',
      severity: 'info',
      message: `the store has room again: ${used} of ${users} MiB`,
    })
    const then = [{ kind: 'delete', key: quotaAlarm.key('alarm') } as const, event]
    await store.transact({ compare: [], then, otherwise: [], term: this.#office.term })
  }
}
