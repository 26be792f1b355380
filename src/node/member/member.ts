/**
 * One member of the consensus group at work: steps inputs into the core, carries its effects out
 * in order, and lets proposals, reads and watches wait for what they need.
 *
 * Invariants: effects are carried out in the order taken; a message of an `append` leaves only
 * after that append is durable; the store is changed by the applier and by snapshots alone.
 */
import { assertNever } from '../../base/assert.ts'
import { describeError, type JangadaError } from '../../base/errors.ts'
import { type Index, type MemberId, noMember, type Term } from '../../base/ids.ts'
import { Raft } from '../../core/raft/raft.ts'
import type {
  AppendEffect,
  Effect,
  Input,
  MemberChange,
  Message,
  RaftStatus,
  ReadId,
  Role,
  SnapshotMessage,
} from '../../core/raft/types.ts'
import { encodeCommand } from '../../core/store/command-codec.ts'
import type { Store } from '../../core/store/store.ts'
import type { Command, EventBatch } from '../../core/store/types.ts'
import type { Timer } from '../../ports/clock.ts'
import { Applier } from './applier.ts'
import { failureOf, noQuorum, stopping, unfit } from './errors.ts'
import type { Failed, Leadership, MemberOptions } from './member-options.ts'
import { type Committed, Proposals } from './proposals.ts'
import { commitNoticeMs, longestElectionMs, raftConfig, tickMs, timers } from './raft-config.ts'
import { Reads } from './reads.ts'
import { Silences } from './silences.ts'
import { goesOnFrom, Snapshots } from './snapshots.ts'
import type { WatchRequest } from './store-access.ts'
import { WatchHub } from './watch-hub.ts'

/** After a stall longer than this, what waited on the sockets is heard before the clock is. */
const stallMs = 50

export class Member {
  readonly id: MemberId
  readonly #options: MemberOptions
  readonly #raft: Raft
  readonly #hub: WatchHub
  readonly #applier: Applier
  readonly #proposals: Proposals
  readonly #reads: Reads
  readonly #snapshots: Snapshots
  readonly #silences = new Silences()
  #store: Store
  #leadership: Leadership
  /** Settled once every append handed to the log so far has been reported. */
  #appends: Promise<void> = Promise.resolve()
  #draining = false
  #stopped = false
  #tickTimer: Timer | undefined
  #commitTimer: Timer | undefined
  /** The last entry that was handed out to be applied. */
  #handedOut: Index
  #lastTickMs: number
  #leaderHeardAtMs: number

  constructor(options: MemberOptions) {
    const { clock, entropy, id, restored } = options
    this.id = id
    this.#options = options
    this.#store = options.store
    this.#handedOut = this.#store.appliedIndex
    this.#lastTickMs = clock.monotonicMs()
    this.#leaderHeardAtMs = this.#lastTickMs
    this.#hub = new WatchHub(() => this.#store)
    this.#proposals = new Proposals(clock)
    const ask = (readId: ReadId): void => this.#step({ kind: 'readIndex', readId })
    this.#reads = new Reads(clock, ask, () => this.#store.appliedIndex)
    this.#applier = new Applier({
      clock,
      store: () => this.#store,
      hub: this.#hub,
      onCommitted: (committed, command) => {
        this.#proposals.applied(committed)
        if (command !== undefined) options.onCommand(committed, command)
      },
      onApplied: (upto, bytes) => this.#applied(upto, bytes),
      onFatal: (reason) => this.#fail(reason, 'state'),
    })
    this.#raft = new Raft(raftConfig(id), restored, entropy, this.#lastTickMs)
    this.#snapshots = new Snapshots(options, {
      store: () => this.#store,
      nameOfState: () => this.#raft.appliedRef(),
      neededFrom: () => goesOnFrom(this.#raft.status().progress),
      onWritten: (snapshot, keepFrom) =>
        this.#step({ kind: 'compacted', snapshot, upto: keepFrom }),
      onFatal: (reason, what) => this.#fail(reason, what),
    })
    const { term } = this.#raft.status()
    this.#leadership = { role: this.#shownRole('follower'), term, leader: noMember }
  }

  /** Begins to tick, and carries out what the restored state already asks for. */
  start(): void {
    this.#drain()
    this.#scheduleTick()
  }

  get store(): Store {
    return this.#store
  }

  get leadership(): Leadership {
    return this.#leadership
  }

  /** Milliseconds since a leader was heard, or since this member could last be sure it led. */
  get staleForMs(): number {
    if (this.#leadership.role === 'leader') return 0
    return this.#options.clock.monotonicMs() - this.#leaderHeardAtMs
  }

  status(): RaftStatus {
    return this.#raft.status()
  }

  /** For whoever compares logs. */
  get raft(): Pick<Raft, 'describe' | 'entriesFrom'> {
    return this.#raft
  }

  /** What came in together is answered together: one write to the log, and one answer for all. */
  receive(messages: readonly Message[]): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const message of messages) {
      const { role, leader } = this.#leadership
      if (message.from === leader) this.#leaderHeardAtMs = nowMs
      if (message.from === leader || role === 'leader') this.#silences.heard(message.from, nowMs)
      this.#take({ kind: 'receive', message, nowMs })
    }
    this.#drain()
  }

  unreachable(id: MemberId): void {
    this.#step({ kind: 'unreachable', id })
  }

  /** Only on the leader. Rejects as `dropped`, or with JGD_BAD_REQUEST or JGD_OUTCOME_UNKNOWN. */
  propose(command: Command): Promise<Committed> {
    const refusal = this.#stopped ? stopping() : unfit(command)
    if (refusal !== undefined) return Promise.reject(refusal)
    const { id, committed } = this.#proposals.open()
    if (this.#proposals.gather({ proposalId: id, data: encodeCommand(command) })) {
      // What one turn of the loop brings leaves in one append a follower, and in one write here.
      this.#options.clock.atTurnsEnd(() => {
        this.#step({ kind: 'propose', proposals: this.#proposals.takeGathered() })
      })
    }
    return committed
  }

  /** An entry without a command; its index is a number that the log gives only once. */
  proposeEmpty(): Promise<Committed> {
    if (this.#stopped) return Promise.reject(stopping())
    const { id, committed } = this.#proposals.open()
    this.#step({ kind: 'propose', proposals: [{ proposalId: id, data: new Uint8Array(0) }] })
    return committed
  }

  /** Only on the leader. Rejects with JGD_NOT_LEADER or JGD_MEMBER_CHANGE_PENDING. */
  changeMembers(change: MemberChange): Promise<Committed> {
    if (this.#stopped) return Promise.reject(stopping())
    const { id, committed } = this.#proposals.open()
    this.#step({ kind: 'changeMembers', proposalId: id, change })
    return committed
  }

  /**
   * To be told every second how late this process is just now, by the slowest thousandth of its
   * loop's turns. Where that, or whoever is heard, is slow, silence says less (ARCHITECTURE 4).
   */
  setPace(loopDelayMs: number): void {
    const delayMs = Math.max(loopDelayMs, this.#silences.p999Ms())
    this.#step({ kind: 'setTimers', ...timers(delayMs) })
  }

  transferTo(to: MemberId): void {
    this.#step({ kind: 'transfer', to })
  }

  /** Resolves when the store is as new as every write acknowledged before the call. */
  barrier(): Promise<void> {
    if (this.#stopped) return Promise.reject(stopping())
    if (this.#leadership.leader === noMember && this.staleForMs > longestElectionMs) {
      return Promise.reject(noQuorum())
    }
    return this.#reads.barrier()
  }

  watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<EventBatch> {
    return this.#hub.watch(request, signal)
  }

  /** A snapshot that another member sends; see `Snapshots`. */
  get snapshots(): Snapshots {
    return this.#snapshots
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#end(stopping())
    await this.#snapshots.stop()
    await this.#options.log.close()
  }

  #end(error: JangadaError): void {
    this.#stopped = true
    this.#tickTimer?.cancel()
    this.#commitTimer?.cancel()
    this.#applier.stop()
    this.#proposals.failAll(error)
    this.#reads.failAll(error)
    this.#hub.close(error)
  }

  #fail(reason: string, what: Failed): void {
    if (this.#stopped) return
    this.#options.logger.error('the member cannot go on', { reason })
    this.#end(stopping())
    if (what === 'state') void this.#options.log.close().catch(() => undefined)
    this.#options.onFatal(reason, what)
  }

  #scheduleTick(): void {
    this.#tickTimer = this.#options.clock.after(tickMs, () => {
      const nowMs = this.#options.clock.monotonicMs()
      if (nowMs - this.#lastTickMs > stallMs) {
        this.#lastTickMs = nowMs
        this.#tickTimer = this.#options.clock.after(0, () => this.#tick())
      } else this.#tick()
    })
  }

  #tick(): void {
    if (this.#stopped) return
    this.#lastTickMs = this.#options.clock.monotonicMs()
    this.#step({ kind: 'tick', nowMs: this.#lastTickMs })
    this.#scheduleTick()
  }

  /** While more is committed, appends tell of it; what none has told by then, is told. */
  #tellCommitSoon(): void {
    const upto = this.#handedOut
    this.#commitTimer ??= this.#options.clock.after(commitNoticeMs, () => {
      this.#commitTimer = undefined
      if (this.#handedOut > upto) this.#tellCommitSoon()
      else this.#step({ kind: 'tellCommit' })
    })
  }

  #step(input: Input): void {
    this.#take(input)
    this.#drain()
  }

  #take(input: Input): void {
    if (this.#stopped) return
    try {
      this.#raft.step(input)
    } catch (error) {
      this.#fail(`a broken invariant: ${describeError(error)}`, 'state')
    }
  }

  /** Carrying one effect out may step again; the outermost call sees to what that brings. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    try {
      for (;;) {
        const effects = this.#stopped ? [] : this.#raft.takeEffects()
        if (effects.length === 0) return
        const writes = effects.some(({ kind }) => kind === 'append')
        for (const effect of effects) this.#carryOut(effect, writes)
      }
    } finally {
      this.#draining = false
    }
  }

  /** With `writes` there is something for the log among them, which others wait for. */
  #carryOut(effect: Effect, writes: boolean): void {
    switch (effect.kind) {
      case 'send':
        this.#send(effect.message)
        return
      case 'sendSnapshot':
        void this.#sendSnapshot(effect.message)
        return
      case 'append':
        void this.#append(effect)
        return
      case 'apply':
        if (writes) this.#applier.pushLater(effect.entries)
        else this.#applier.push(effect.entries)
        this.#handedOut = effect.entries.at(-1)?.index ?? this.#handedOut
        if (this.#leadership.role === 'leader') this.#tellCommitSoon()
        return
      case 'readReady':
        this.#reads.ready(effect.readId, effect.index)
        return
      case 'readFailed':
        this.#reads.failed(effect.readId)
        return
      case 'proposalAppended':
        this.#proposals.appended(effect.proposalId, effect.index, effect.term)
        return
      case 'proposalDropped':
        this.#proposals.dropped(effect.proposalId, effect.reason)
        return
      case 'roleChanged':
        this.#lead(effect.role, effect.term, effect.leader)
        return
      case 'configChanged':
        this.#options.logger.info('the members changed', { index: effect.index, ...effect.config })
        this.#leadership = { ...this.#leadership, role: this.#shownRole(this.#raft.status().role) }
        return
      default:
        assertNever(effect)
    }
  }

  #send(message: Message): void {
    // The core wraps every snapshot in a `sendSnapshot` effect.
    if (message.kind !== 'snapshot') this.#options.send(message)
  }

  /** The log takes the next append while this one is written; they are reported in order. */
  async #append(effect: AppendEffect): Promise<void> {
    const restore = effect.snapshot && this.#snapshots.toRestore(effect.snapshot)
    const before = this.#appends
    const { promise, resolve: reported } = Promise.withResolvers<void>()
    this.#appends = promise
    try {
      await this.#options.log.append(effect)
      await before
      if (restore !== undefined) {
        this.#applier.reset()
        const store = await restore()
        if (this.#stopped) return
        this.#store = store
        this.#proposals.passed(store.appliedIndex)
        this.#hub.restart()
      }
    } catch (error) {
      this.#fail(...failureOf('the log cannot be written', error))
      return
    }
    reported()
    if (this.#stopped) return
    for (const message of effect.whenDurable) this.#send(message)
    this.#step({ kind: 'appended', token: effect.token })
    if (restore !== undefined) this.#reads.applied()
  }

  async #sendSnapshot(message: SnapshotMessage): Promise<void> {
    const { log, logger, sendSnapshot } = this.#options
    let ok = true
    try {
      await sendSnapshot(message, () => log.readSnapshot(message.snapshot))
    } catch (error) {
      ok = false
      logger.warn('a snapshot did not arrive', { to: message.to, cause: describeError(error) })
    }
    this.#step({ kind: 'snapshotSent', to: message.to, ok })
  }

  #applied(upto: Index, bytes: number): void {
    this.#step({ kind: 'applied', upto })
    this.#reads.applied()
    this.#snapshots.consider(bytes)
  }

  #lead(role: Role, term: Term, leader: MemberId): void {
    const before = this.#leadership
    this.#leadership = { role: this.#shownRole(role), term, leader }
    const wasSure = leader !== noMember || before.role === 'leader'
    if (wasSure) this.#leaderHeardAtMs = this.#options.clock.monotonicMs()
    if (before.role !== role || before.leader !== leader) {
      this.#silences.restart()
      this.#options.logger.info('role', { role, term, leader })
    }
    this.#options.onLeadership(this.#leadership)
  }

  /** A follower that no configuration lets vote is a learner. */
  #shownRole(role: Role): Leadership['role'] {
    const { voters, outgoing } = this.#raft.status().config
    const votes = voters.includes(this.id) || outgoing.includes(this.id)
    return role === 'follower' && !votes ? 'learner' : role
  }
}
