/**
 * Linearizable reads by ReadIndex: all that wait when a round begins share it, and no read joins
 * a round that began before it was asked. A read is served once the state machine has come to
 * the index that its round confirmed.
 *
 * Invariant: at most one round is under way.
 */
import type { JangadaError } from '../../base/errors.ts'
import type { Index } from '../../base/ids.ts'
import type { ReadId } from '../../core/raft/types.ts'
import type { Clock, Timer } from '../../ports/clock.ts'
import { noQuorum } from './errors.ts'

/** A read that finds no quorum in this time fails; nothing happened. */
export const readTimeoutMs = 3000
/** A round that is not answered in this time is asked again: its messages may be lost. */
const roundTimeoutMs = 400
/** Between a round that failed and the next try. */
const retryMs = 20

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: JangadaError) => void
  readonly timer: Timer
  done: boolean
}

interface Confirmed {
  readonly index: Index
  readonly waiting: readonly Waiting[]
}

export class Reads {
  readonly #clock: Clock
  /** Steps `readIndex` into the core. */
  readonly #begin: (id: ReadId) => void
  readonly #appliedIndex: () => Index
  #queue: Waiting[] = []
  #round: { readonly id: ReadId; readonly waiting: Waiting[] } | undefined
  #confirmed: Confirmed[] = []
  #roundTimer: Timer | undefined
  #nextId = 1

  constructor(clock: Clock, begin: (id: ReadId) => void, appliedIndex: () => Index) {
    this.#clock = clock
    this.#begin = begin
    this.#appliedIndex = appliedIndex
  }

  /** Resolves when the state machine is as new as every write acknowledged before the call. */
  barrier(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        resolve,
        reject,
        done: false,
        timer: this.#clock.after(readTimeoutMs, () => {
          waiting.done = true
          reject(noQuorum())
        }),
      }
      this.#queue.push(waiting)
      this.#startRound()
    })
  }

  ready(id: ReadId, index: Index): void {
    if (this.#round?.id !== id) return
    this.#roundTimer?.cancel()
    this.#confirmed.push({ index, waiting: this.#round.waiting })
    this.#round = undefined
    this.applied()
    this.#startRound()
  }

  failed(id: ReadId): void {
    if (this.#round?.id !== id) return
    this.#roundTimer?.cancel()
    this.#queue = [...this.#round.waiting.filter(({ done }) => !done), ...this.#queue]
    this.#round = undefined
    if (this.#queue.length > 0) this.#clock.after(retryMs, () => this.#startRound())
  }

  /** The state machine has moved on. */
  applied(): void {
    const reached = this.#appliedIndex()
    const later: Confirmed[] = []
    for (const confirmed of this.#confirmed) {
      if (confirmed.index > reached) later.push(confirmed)
      else for (const waiting of confirmed.waiting) settle(waiting, () => waiting.resolve())
    }
    this.#confirmed = later
  }

  failAll(error: JangadaError): void {
    const confirmed = this.#confirmed.flatMap(({ waiting }) => waiting)
    const all = [...this.#queue, ...(this.#round?.waiting ?? []), ...confirmed]
    this.#roundTimer?.cancel()
    this.#queue = []
    this.#round = undefined
    this.#confirmed = []
    for (const waiting of all) settle(waiting, () => waiting.reject(error))
  }

  #startRound(): void {
    this.#queue = this.#queue.filter(({ done }) => !done)
    if (this.#round !== undefined || this.#queue.length === 0) return
    const id = this.#nextId as ReadId
    this.#nextId += 1
    this.#round = { id, waiting: this.#queue }
    this.#queue = []
    this.#roundTimer = this.#clock.after(roundTimeoutMs, () => this.failed(id))
    this.#begin(id)
  }
}

function settle(waiting: Waiting, how: () => void): void {
  if (waiting.done) return
  waiting.done = true
  waiting.timer.cancel()
  how()
}
