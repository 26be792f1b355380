/**
 * What a leader knows of one member's log, and how fast it may send to it.
 *
 *   probe      one message at a time, until it is known where the logs agree
 *   replicate  messages follow one another without waiting, up to the inflight bounds
 *   snapshot   nothing, until the snapshot arrived or failed
 *
 * All moves between the states are methods here.
 */
import { assert, assertNever } from '../../base/assert.ts'
import type { Index, MemberId } from '../../base/ids.ts'
import { Inflights } from './inflights.ts'
import type { ProgressState, ProgressStatus, RaftConfig, Session } from './types.ts'

export class Progress {
  readonly id: MemberId
  /** See `Session`. Invariant: never the same for two `Progress` objects of one leader's term. */
  readonly session: Session
  readonly inflights: Inflights
  learner: boolean
  /** Heard from since the last check of the quorum. */
  recentlyActive = false
  /** When an append was last sent to it, when a heartbeat was, and when it last answered one. */
  appendAtMs = -Infinity
  heartbeatAtMs = -Infinity
  answeredAtMs = -Infinity
  /** The newest read round this member has answered. */
  ackedRound = 0

  #state: ProgressState = 'probe'
  /** Durable on the member, as it said. Invariant: 0 <= match < next. */
  #match: Index
  /** The first index of the next append. In `replicate` it runs ahead of what is acknowledged. */
  #next: Index
  /** The snapshot under way. Invariant: 0 unless the state is `snapshot`. */
  #pendingSnapshot = 0 as Index
  /** No append leaves until an answer or a heartbeat's answer comes. */
  #paused = false
  /** The highest commit index sent in an append that has not been known lost. */
  #sentCommit = 0 as Index

  constructor(
    id: MemberId,
    session: Session,
    learner: boolean,
    match: Index,
    next: Index,
    limits: Pick<RaftConfig, 'maxInflightMessages' | 'maxInflightBytes'>,
  ) {
    this.id = id
    this.session = session
    this.learner = learner
    this.#match = match
    this.#next = next
    this.inflights = new Inflights(limits.maxInflightMessages, limits.maxInflightBytes)
    this.#check()
  }

  get state(): ProgressState {
    return this.#state
  }
  get match(): Index {
    return this.#match
  }
  get next(): Index {
    return this.#next
  }
  get pendingSnapshot(): Index {
    return this.#pendingSnapshot
  }
  get paused(): boolean {
    return this.#state === 'snapshot' || this.#paused
  }

  becomeProbe(): void {
    const afterSnapshot = this.#state === 'snapshot' ? this.#pendingSnapshot + 1 : 0
    this.#enter('probe')
    this.#next = Math.max(this.#match + 1, afterSnapshot) as Index
    this.#forgetCommitPastNext()
    this.#check()
  }

  becomeReplicate(): void {
    this.#enter('replicate')
    this.#next = (this.#match + 1) as Index
    this.#check()
  }

  becomeSnapshot(snapshotIndex: Index): void {
    assert(snapshotIndex > this.#match, 'a snapshot is sent only to who lacks what it covers')
    this.#enter('snapshot')
    this.#pendingSnapshot = snapshotIndex
    this.#next = (snapshotIndex + 1) as Index
    this.#sentCommit = snapshotIndex
    this.#check()
  }

  /** The transfer ended; a failed one is forgotten, so probing starts from what is known. */
  snapshotEnded(ok: boolean): void {
    assert(this.#state === 'snapshot', 'a snapshot was under way')
    if (!ok) this.#pendingSnapshot = 0 as Index
    this.becomeProbe()
    // After success the member's own answer says where it stands; until it or a heartbeat's
    // answer comes, sending would only guess. After failure, waiting spares a broken link.
    this.#paused = true
  }

  /** An append with `entries` entries of `bytes` bytes left, starting at `next`. */
  sentEntries(entries: number, bytes: number): void {
    assert(!this.paused, 'nothing is sent to a paused member')
    switch (this.#state) {
      case 'replicate':
        if (entries > 0) {
          this.#next = (this.#next + entries) as Index
          this.inflights.add((this.#next - 1) as Index, bytes)
        }
        // An empty append past the bound is a probe: one, and then silence until an answer.
        this.#paused = this.inflights.full
        break
      case 'probe':
        if (entries > 0) this.#paused = true
        break
      case 'snapshot':
        assert(false, 'no append leaves while a snapshot is under way')
        break
      default:
        assertNever(this.#state)
    }
    this.#check()
  }

  sentCommit(commit: Index): void {
    this.#sentCommit = commit
  }

  /** Whether telling this member of `commit` could make it commit more than it was told of. */
  canBumpCommit(commit: Index): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.#next - 1
  }

  /** The member holds everything up to `match`. False when that is no news. */
  maybeUpdate(match: Index): boolean {
    if (match <= this.#match) return false
    this.#match = match
    this.#next = Math.max(this.#next, match + 1) as Index
    this.#paused = false
    this.#check()
    return true
  }

  /**
   * The member refused an append whose `prevIndex` was `rejected`; the logs agree at `hint` or
   * before. False when the refusal is of an older append and says nothing new.
   */
  maybeDecrease(rejected: Index, hint: Index): boolean {
    if (this.#state === 'replicate') {
      if (rejected <= this.#match) return false
      this.#next = (this.#match + 1) as Index
    } else {
      if (this.#next - 1 !== rejected) return false
      this.#next = Math.max(Math.min(rejected, hint + 1), this.#match + 1) as Index
    }
    this.#forgetCommitPastNext()
    this.#paused = false
    this.#check()
    return true
  }

  answered(nowMs: number): void {
    this.recentlyActive = true
    this.answeredAtMs = nowMs
  }

  /** A heartbeat was answered: the link works, so one more append may try. */
  resume(): void {
    this.#paused = false
  }

  status(): ProgressStatus {
    return {
      id: this.id,
      state: this.#state,
      match: this.#match,
      next: this.#next,
      learner: this.learner,
      paused: this.paused,
      recentlyActive: this.recentlyActive,
      pendingSnapshot: this.#pendingSnapshot,
      inflightMessages: this.inflights.count,
      inflightBytes: this.inflights.bytes,
      inflightFull: this.inflights.full,
    }
  }

  #enter(state: ProgressState): void {
    this.#state = state
    this.#paused = false
    this.#pendingSnapshot = 0 as Index
    this.inflights.reset()
  }

  #forgetCommitPastNext(): void {
    this.#sentCommit = Math.min(this.#sentCommit, this.#next - 1) as Index
  }

  #check(): void {
    assert(this.#match >= 0 && this.#match < this.#next, '0 <= match < next')
    assert(
      this.#state === 'snapshot' || this.#pendingSnapshot === 0,
      'a snapshot is pending only in its state',
    )
    assert(this.#state === 'replicate' || this.inflights.count === 0, 'only replicate counts')
  }
}
