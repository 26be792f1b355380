/**
 * Reads that wait. A leader answers one once a quorum has answered a heartbeat sent after the
 * read came in; rounds number those heartbeats, and one round serves all reads that came before
 * it. A round's number is never used twice, so no late answer can vouch for a newer read.
 *
 * Source: Ongaro's thesis, 6.4.
 */
import { assert } from '../../base/assert.ts'
import type { Index, MemberId } from '../../base/ids.ts'
import type { ReadId } from './types.ts'

export interface Read {
  readonly readId: ReadId
  /** Who asked: this member, or a follower by message. */
  readonly from: MemberId
  /** The asker's, for a read that came by message. */
  readonly nonce: number
}

interface ConfirmingRead extends Read {
  readonly round: number
  readonly index: Index
}

export class Reads {
  readonly #capacity: number
  /** This object's own; see `ReadRequest.nonce`. */
  readonly nonce: number
  /** The newest round begun. Invariant: never descends. */
  #round = 0
  /** Asked of this leader and not in a round yet. */
  #waiting: Read[] = []
  /** In a round. Invariant: rounds do not descend along the list. */
  #confirming: ConfirmingRead[] = []
  /** Asked of the leader by message, with the time of asking. */
  #forwarded = new Map<ReadId, number>()

  constructor(capacity: number, nonce: number) {
    assert(capacity > 0, 'one read may always wait')
    this.#capacity = capacity
    this.nonce = nonce
  }

  get round(): number {
    return this.#round
  }
  get count(): number {
    return this.#waiting.length + this.#confirming.length + this.#forwarded.size
  }
  get full(): boolean {
    return this.count >= this.#capacity
  }
  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  wait(read: Read): void {
    assert(!this.full, 'reads beyond the bound are refused')
    this.#waiting.push(read)
  }

  /** All waiting reads join a new round; `commit` is the index they will be told. */
  beginRound(commit: Index): number {
    assert(this.#waiting.length > 0, 'a round serves some read')
    this.#round += 1
    for (const read of this.#waiting) {
      this.#confirming.push({ ...read, round: this.#round, index: commit })
    }
    this.#waiting = []
    return this.#round
  }

  /** Waiting reads, for a leader that needs no round. */
  takeWaiting(): readonly Read[] {
    const reads = this.#waiting
    this.#waiting = []
    return reads
  }

  /** A quorum has answered `round`: its reads, and those of the rounds before, are answered. */
  confirm(round: number): readonly ConfirmingRead[] {
    assert(round <= this.#round, 'no round is answered before it begins')
    const end = this.#confirming.findIndex((read) => read.round > round)
    return this.#confirming.splice(0, end < 0 ? this.#confirming.length : end)
  }

  forward(readId: ReadId, nowMs: number): void {
    assert(!this.full, 'reads beyond the bound are refused')
    assert(!this.#forwarded.has(readId), 'a read id is used once')
    this.#forwarded.set(readId, nowMs)
  }

  /** Whether `readId` was still asked; it no longer is. */
  answerForwarded(readId: ReadId): boolean {
    return this.#forwarded.delete(readId)
  }

  /** Forwarded reads asked at or before `sinceMs` are given up. */
  expireForwarded(sinceMs: number): readonly ReadId[] {
    const expired: ReadId[] = []
    for (const [readId, askedMs] of this.#forwarded) {
      if (askedMs > sinceMs) break
      expired.push(readId)
    }
    for (const readId of expired) this.#forwarded.delete(readId)
    return expired
  }

  /** Leadership or the leader changed: nothing that waits can be answered any more. */
  abandon(): { readonly asked: readonly Read[]; readonly forwarded: readonly ReadId[] } {
    const abandoned = {
      asked: [...this.#confirming, ...this.#waiting],
      forwarded: [...this.#forwarded.keys()],
    }
    this.#confirming = []
    this.#waiting = []
    this.#forwarded.clear()
    return abandoned
  }
}
