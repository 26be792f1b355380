/**
 * The store as the rest of a node sees it. A member answers from its own raft and store; a
 * client machine's implementation asks members over `wire`. Controllers, agent, bootd and API
 * are written against this and nothing below it.
 */
import type { MemberId, Revision, Term } from '../../base/ids.ts'
import type {
  ApplyResult,
  EventBatch,
  LeaseId,
  LeaseListing,
  RangeRequest,
  RangeResult,
  Transaction,
} from '../../core/store/types.ts'

export type TransactionResult = Extract<ApplyResult, { kind: 'transaction' }>

export type Consistency =
  /** ReadIndex: at least as new as every write acknowledged before the call. */
  | 'linearizable'
  /** What this node (or the member it asks) has; `revision` says how new. */
  | 'local'

export interface StoreAccess {
  /**
   * Commits and applies, forwarding to the leader when need be; a transaction with a `term` is
   * never forwarded. Rejects with JGD_NO_QUORUM or JGD_NOT_LEADER (nothing happened),
   * JGD_STALE_TERM, JGD_OVERLOADED, JGD_TOO_LARGE, JGD_STORE_FULL, or JGD_OUTCOME_UNKNOWN (it
   * may yet happen).
   */
  transact(transaction: Transaction): Promise<TransactionResult>
  /** Rejects with JGD_NO_QUORUM when linearizable and no quorum answers, or JGD_COMPACTED. */
  range(request: RangeRequest, consistency: Consistency): Promise<RangeResult>
  /**
   * Every change in the range from `fromRevision` on, in order, without gap or duplicate; whole
   * revisions at a time. A batch without events tells only how far the watch has come. A slow
   * reader costs a bounded queue and nothing more: it then reads on from the history. Ends when
   * `signal` aborts; rejects with JGD_COMPACTED when that no longer goes back far enough (its
   * details have `floor`, the oldest revision that is kept): list again and watch from there.
   */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<EventBatch>
  leaseGrant(ttlMs: number): Promise<LeaseId>
  leaseRevoke(id: LeaseId): Promise<void>
  /** Acknowledged like a pulse; not in the log. False when the lease is gone. */
  leaseKeepAlive(id: LeaseId): Promise<boolean>
  /** Leases with ids after `after`, which is '' at first. Linearizable. */
  leaseList(after: LeaseId): Promise<LeaseListing>
  compact(revision: Revision): Promise<void>
  /** Who answers here, and how fresh that is. Rejects with JGD_UNREACHABLE on a cut-off client. */
  view(): Promise<MemberView>
}

export interface WatchRequest {
  readonly key: string
  readonly rangeEnd?: string
  readonly fromRevision: Revision
}

/** How full the store is. Users may use the quota without the reserve, the system all of it. */
export interface StoreRoom {
  readonly usedBytes: number
  readonly quotaBytes: number
  readonly reserveBytes: number
}

/** What a member knows of its own place. Clients learn the same from the member they ask. */
export interface MemberView {
  readonly memberId: MemberId | undefined
  readonly role: 'leader' | 'candidate' | 'follower' | 'learner' | 'client'
  readonly term: Term
  readonly leader: MemberId | undefined
  /** Milliseconds since this node last knew of a live leader; 0 on a leader with a quorum. */
  readonly staleForMs: number
  readonly hasQuorum: boolean
  readonly revision: Revision
  /** Members whose votes count, those on their way out included; every other one is a learner. */
  readonly voters: readonly MemberId[]
  /** The leader's machine; undefined when no leader is known. */
  readonly leaderMachine: string | undefined
  /** Undefined from a member of an earlier version, or when no member answers. */
  readonly room?: StoreRoom
}
