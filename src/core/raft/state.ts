/**
 * What one member holds in memory, and the few things every part of the core does with it. The
 * parts (`election`, `replication`, `reads`, `membership`, `transfer`) are functions over it.
 */
import { assert, present } from '../../base/assert.ts'
import { noMember, type Index, type MemberId, type Term } from '../../base/ids.ts'
import { isLearner, isVoter, memberIds } from './config.ts'
import { RaftLog } from './log.ts'
import { Progress } from './progress.ts'
import { Reads } from './reads-table.ts'
import type {
  ConfState,
  Effect,
  HardState,
  Message,
  RaftConfig,
  RandomIntegers,
  RestoredState,
  Role,
  Session,
  SnapshotMessage,
  TraceSink,
} from './types.ts'

export class RaftState {
  readonly id: MemberId
  readonly options: RaftConfig
  readonly random: RandomIntegers
  readonly log: RaftLog

  /** Invariant: never descends. */
  term: Term
  /** Invariant: within one term it changes at most once, from `noMember`. */
  vote: MemberId
  role: Role = 'follower'
  /** Invariant: `id` exactly when the role is leader. */
  leader: MemberId = noMember

  /** The configuration as of the last applied configuration entry or snapshot. */
  config: ConfState
  /** One for each of `memberIds(config)`. Only a leader's are kept up to date. */
  progress = new Map<MemberId, Progress>()
  /** The answers of this election, granted or not. */
  votes = new Map<MemberId, boolean>()
  /** No member change enters the log until everything up to here is applied. */
  pendingConfigIndex = 0 as Index
  /** To whom leadership is being handed; `noMember` when to nobody. */
  transferTarget: MemberId = noMember
  /** Bytes of entries of this leader's term that are not committed. Invariant: >= 0. */
  uncommittedBytes = 0
  readonly reads: Reads

  /** The caller's clock, as of its last input that told the time. Invariant: never descends. */
  nowMs = 0
  electionTimeoutMs: number
  loyaltyMs: number
  heartbeatMs: number
  /** This wait's draw. Invariant: in [electionTimeoutMs, 2 x electionTimeoutMs - 1]. */
  randomizedTimeoutMs = 0
  /** Since when the present wait, or a leader's present check of its quorum, runs. */
  electionSinceMs = 0
  heartbeatSinceMs = 0

  /** Messages that need nothing to be durable. */
  outbox: (Message | { readonly bulk: SnapshotMessage })[] = []
  /** Messages, to others or to itself, that may be acted on once all of the state is durable. */
  afterAppend: Message[] = []
  /** Effects that are neither messages nor writes. */
  notices: Effect[] = []

  #lastSession = 0

  constructor(options: RaftConfig, restored: RestoredState, random: RandomIntegers) {
    this.id = options.id
    this.options = options
    this.random = random
    this.log = new RaftLog(restored, options)
    this.term = restored.hardState.term
    this.vote = restored.hardState.vote
    this.config = restored.snapshot.config
    this.electionTimeoutMs = options.electionTimeoutMs
    this.loyaltyMs = options.loyaltyMs
    this.heartbeatMs = options.heartbeatMs
    this.reads = new Reads(options.maxPendingReads, random.integer(0, 0xffff_ffff))
    const lastTerm = restored.entries.at(-1)?.term ?? 0
    assert(this.term >= lastTerm, 'no entry is of a later term than the hard state')
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed }
  }

  get isLearner(): boolean {
    return isLearner(this.config, this.id)
  }

  /** May stand for election: a voter, whose state machine is not being replaced. */
  get promotable(): boolean {
    return isVoter(this.config, this.id) && !this.log.restoring
  }

  /** Everyone who is sent the log but this member, ascending. */
  get others(): readonly MemberId[] {
    return memberIds(this.config).filter((id) => id !== this.id)
  }

  get electionElapsedMs(): number {
    return this.nowMs - this.electionSinceMs
  }

  trace(level: Parameters<TraceSink>[0], line: () => string): void {
    this.options.trace?.(level, line())
  }

  send(message: Message): void {
    assert(message.to !== this.id && message.to !== noMember, 'messages go to others')
    assert(message.from === this.id, 'messages name their sender')
    this.outbox.push(message)
  }

  /** `message` says something that a crash must not unsay. It may be to this member itself. */
  sendOnceDurable(message: Message): void {
    assert(message.to !== noMember, 'messages go to someone')
    assert(message.from === this.id, 'messages name their sender')
    this.afterAppend.push(message)
  }

  /** Time moves forward, or stands still. */
  advanceTo(nowMs: number): void {
    assert(Number.isFinite(nowMs) && nowMs >= this.nowMs, 'the monotonic clock never goes back')
    this.nowMs = nowMs
  }

  restartElectionTimer(): void {
    this.electionSinceMs = this.nowMs
  }

  drawElectionTimeout(): void {
    const timeout = this.electionTimeoutMs
    this.randomizedTimeoutMs = this.random.integer(timeout, 2 * timeout - 1)
    assert(this.randomizedTimeoutMs >= timeout, 'no wait is shorter than the timeout')
  }

  newSession(): Session {
    this.#lastSession += 1
    return this.#lastSession as Session
  }

  /** A fresh account of a member about whose log nothing is known. */
  newProgress(id: MemberId, next: Index): Progress {
    const self = id === this.id
    // What is written here but not durable yet is not held, by this member as by any other.
    const match = self ? this.log.durable : (0 as Index)
    const learner = isLearner(this.config, id)
    const from = Math.max(next, match + 1) as Index
    return new Progress(id, this.newSession(), learner, match, from, this.options)
  }

  progressOf(id: MemberId): Progress {
    return present(this.progress.get(id), `the progress of member ${id}`)
  }

  check(): void {
    assert((this.role === 'leader') === (this.leader === this.id), 'a leader knows it leads')
    assert(this.role === 'leader' || this.transferTarget === noMember, 'only leaders hand over')
    assert(this.uncommittedBytes >= 0, 'no byte is committed twice')
    assert(this.progress.size === memberIds(this.config).length, 'each member is tracked once')
  }
}
