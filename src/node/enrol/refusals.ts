/**
 * Refusals, as errors for the one who asked and as events for those who watch. Strangers cause
 * them, so the events are counted out: whatever is sent, the log grows slowly.
 */
import { JangadaError } from '../../base/errors.ts'
import type { ErrorCode } from '../../base/errors.ts'
import type { EventRecord } from '../../core/records/schemas.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Log } from '../../ports/log.ts'
import { TokenBucket } from '../bootd/token-bucket.ts'
import { putEvent, type EnrolStore } from './context.ts'

/** One event in two seconds over time, and a burst for an honest mistake or two. */
const eventsPerSecond = 0.5
const eventsBurst = 10
/** A machine that was taken off the list asks again and again: it is told of once in so long. */
const asksAgain: ErrorCode = 'JGD_KEY_UNKNOWN'
const sameAgainMs = 600_000
/** Of whom that is remembered; of more, the one who was told of first is forgotten. */
const sameMax = 256

export interface RefusalLogOptions {
  readonly store: EnrolStore
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
}

export interface RefusedAttempt {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  /** Who asked, as far as is known. */
  readonly machineId?: string
  readonly remoteAddress: string
}

/** A copied nonce means that someone listens on the boot link; the rest may be typing errors. */
const severityOf = (code: ErrorCode): EventRecord['severity'] =>
  code === 'JGD_NONCE_REUSED' ? 'alarm' : 'warning'

export class RefusalLog {
  readonly #options: RefusalLogOptions
  readonly #bucket: TokenBucket
  /** By what was refused to whom: when it was told, and how often it has been since. */
  readonly #told = new Map<string, { readonly atMs: number; more: number }>()

  constructor(options: RefusalLogOptions) {
    this.#options = options
    this.#bucket = new TokenBucket(eventsPerSecond, eventsBurst, options.clock.monotonicMs())
  }

  /**
   * Writes the event, when there is room for one, and gives the error to throw. The refusal
   * stands whether or not the event could be written.
   */
  async refuse(attempt: RefusedAttempt): Promise<JangadaError> {
    const { code, message, hint, machineId, remoteAddress } = attempt
    const { store, clock, log } = this.#options
    log.warn('refused', { code, remoteAddress, machineId })
    const nowMs = clock.monotonicMs()
    const key = [code, remoteAddress, machineId].join(' ')
    const before = this.#told.get(key)
    if (code === asksAgain && before !== undefined && nowMs - before.atMs < sameAgainMs) {
      before.more += 1
    } else if (this.#bucket.take(nowMs)) {
      this.#tellOf(key, nowMs)
      const more = before?.more ?? 0
      const event = putEvent(this.#options, {
        kind: 'trust.refused',
        severity: severityOf(code),
        message: `${remoteAddress}: ${message}${more === 0 ? '' : ` (and ${more} times before)`}`,
        code,
        machine: machineId ?? '',
      })
      try {
        await store.transact({ compare: [], then: [event], otherwise: [] })
      } catch (error) {
        log.warn('the event of a refusal was not written', { code, error })
      }
    }
    return new JangadaError(code, message, hint === undefined ? {} : { hint })
  }

  #tellOf(key: string, atMs: number): void {
    this.#told.delete(key)
    this.#told.set(key, { atMs, more: 0 })
    const [oldest] = this.#told.keys()
    if (this.#told.size > sameMax && oldest !== undefined) this.#told.delete(oldest)
  }
}
