/**
 * One member of a consensus group, as a pure state machine: `step` an input in, `takeEffects`
 * out. It reads no clock, touches no disk and sends nothing; the same inputs and the same draws
 * of `random` give the same effects, always.
 *
 * Specification: Ongaro's thesis "Consensus: Bridging Theory and Practice", and the observable
 * behaviour of etcd-io/raft.
 */
import { assert, assertNever, present } from '../../base/assert.ts'
import { noMember, type Index, type MemberId, type Term } from '../../base/ids.ts'
import { Batches } from './batch.ts'
import { assertConfig, emptyConfig } from './config.ts'
import { describeConfig, describeProgress, describeRole } from './describe.ts'
import { stand } from './election.ts'
import { applyChanges, maybeAutoLeave } from './membership.ts'
import { changeMembers, propose } from './proposals.ts'
import { electorateIds } from './quorum.ts'
import { readIndex } from './reads.ts'
import { receive, receiveOwn } from './receive.ts'
import { snapshotSent, tellCommit, unreachable } from './replication.ts'
import { becomeFollower } from './roles.ts'
import { RaftState } from './state.ts'
import { assertTimers, setTimers, tick } from './timers.ts'
import { startTransfer } from './transfer.ts'
import type {
  AppendToken,
  Effect,
  Entry,
  Input,
  RaftConfig,
  RaftStatus,
  RandomIntegers,
  RestoredState,
  SnapshotRef,
} from './types.ts'

/** A member that has never been told anything. */
export const emptyRestoredState: RestoredState = {
  hardState: { term: 0 as Term, vote: noMember, commit: 0 as Index },
  snapshot: { index: 0 as Index, term: 0 as Term, config: emptyConfig },
  entries: [],
}

export class Raft {
  readonly #state: RaftState
  readonly #batches: Batches

  /** `nowMs` is the clock that the inputs will tell; the first wait runs from it. */
  constructor(options: RaftConfig, restored: RestoredState, random: RandomIntegers, nowMs: number) {
    assertOptions(options)
    assertConfig(restored.snapshot.config)
    const state = new RaftState(options, restored, random)
    this.#state = state
    state.nowMs = nowMs
    state.trace(
      'info',
      () => `${state.id} switched to configuration ${describeConfig(state.config)}`,
    )
    becomeFollower(state, state.term, noMember)
    // A commit index raised by the snapshot is not news to the disk.
    this.#batches = new Batches(state, state.hardState)
    state.trace('info', () => describeStart(state))
  }

  /** Throws `AssertionError` when an input breaks the order the driver promised, or on a bug. */
  step(input: Input): void {
    const state = this.#state
    switch (input.kind) {
      case 'tick':
        tick(state, input.nowMs)
        break
      case 'receive':
        state.advanceTo(input.nowMs)
        receive(state, input.message)
        break
      case 'propose':
        propose(state, input.proposals)
        break
      case 'changeMembers':
        changeMembers(state, input.proposalId, input.change)
        break
      case 'readIndex':
        readIndex(state, input.readId)
        break
      case 'transfer':
        startTransfer(state, input.to)
        break
      case 'tellCommit':
        if (state.role === 'leader') tellCommit(state)
        break
      case 'campaign':
        stand(state, state.options.preVote ? 'preElection' : 'election')
        break
      case 'forgetLeader':
        forgetLeader(state)
        break
      case 'appended':
        this.#appended(input.token)
        break
      case 'applied':
        applied(state, input.upto)
        break
      case 'compacted':
        state.log.compact(input.snapshot, input.upto)
        break
      case 'snapshotSent':
        snapshotSent(state, input.to, input.ok)
        break
      case 'unreachable':
        unreachable(state, input.id)
        break
      case 'setTimers':
        setTimers(state, input)
        break
      default:
        assertNever(input)
    }
    state.check()
  }

  /** What to do now, in order; empty when there is nothing. What is taken is not given again. */
  takeEffects(): readonly Effect[] {
    return this.#batches.take()
  }

  status(): RaftStatus {
    const state = this.#state
    const { log, progress, reads } = state
    const accounts = state.role === 'leader' ? [...progress.values()] : []
    return {
      id: state.id,
      role: state.role,
      term: state.term,
      vote: state.vote,
      leader: state.leader,
      commit: log.committed,
      applied: log.applied,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      durableIndex: log.durable,
      isRestoring: log.restoring,
      config: state.config,
      transferTarget: state.transferTarget,
      progress: accounts.map((account) => account.status()),
      uncommittedBytes: state.uncommittedBytes,
      pendingReads: reads.count,
    }
  }

  /**
   * The name a snapshot of the state machine would have, were it taken now: the applied index
   * and the configuration in force there. Undefined while another's snapshot is being installed.
   */
  appliedRef(): SnapshotRef | undefined {
    const { log, config } = this.#state
    if (log.restoring) return undefined
    const term = present(log.termAt(log.applied), 'the term of the applied index')
    return { index: log.applied, term, config }
  }

  /** The newest snapshot that can be sent to others; index 0 when there is none. */
  get snapshot(): SnapshotRef {
    return this.#state.log.snapshot
  }

  /** The log from `from` to its end, as far as it is in memory: see `RaftStatus.firstIndex`. */
  entriesFrom(from: Index): readonly Entry[] {
    const { log } = this.#state
    return log.slice(Math.max(from, log.firstIndex) as Index, log.lastIndex)
  }

  /** Several lines for people: who leads, how far the log is, how far each member is. */
  describe(): string {
    const status = this.status()
    const lines = [
      `${status.id}: ${describeRole(status.role)} Term:${status.term} Lead:${status.leader}`,
      `  ${describeConfig(status.config)}`,
      `  log [${this.#state.log.describe()}]`,
      ...status.progress.map((account) => `  ${account.id}: ${describeProgress(account)}`),
    ]
    return lines.join('\n')
  }

  #appended(token: AppendToken): void {
    const own = this.#batches.durable(token)
    this.#state.log.written(token)
    for (const message of own) receiveOwn(this.#state, message)
  }
}

function applied(state: RaftState, upto: Index): void {
  const { log } = state
  // A snapshot overtook the report: it holds what was applied and more.
  if (log.restoring || upto <= log.applied) return
  applyChanges(state, log.applyingEntries(upto))
  log.appliedTo(upto)
  maybeAutoLeave(state)
}

function forgetLeader(state: RaftState): void {
  const { id, term, leader } = state
  if (state.role !== 'follower' || leader === noMember) return
  if (state.options.readOnly === 'leaseBased') {
    // The leader's lease counts on this member's loyalty.
    state.trace('error', () => 'ignoring MsgForgetLeader due to ReadOnlyLeaseBased')
    return
  }
  state.trace('info', () => `${id} forgetting leader ${leader} at term ${term}`)
  state.leader = noMember
}

function describeStart({ id, config, term, log }: RaftState): string {
  const peers: readonly MemberId[] = electorateIds(config)
  return (
    `newRaft ${id} [peers: [${peers.join(',')}], term: ${term}, commit: ${log.committed}, ` +
    `applied: ${log.applied}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}]`
  )
}

function assertOptions(options: RaftConfig): void {
  assert(options.id !== noMember, 'a member has an id')
  assertTimers(options)
  const { maxEntryBytes, maxUncommittedBytes, maxAppendBytes, maxApplyingBytes } = options
  for (const bound of [maxEntryBytes, maxUncommittedBytes, maxAppendBytes, maxApplyingBytes]) {
    assert(bound > 0, 'bounds are positive')
  }
  assert(
    options.readOnly === 'safe' || options.checkQuorum,
    'a lease needs a leader that steps down without its quorum',
  )
}
