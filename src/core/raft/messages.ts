/** What travels between the members of a group. */
import type { Index, MemberId, Term } from '../../base/ids.ts'
import type { Entry, ReadId, Session, SnapshotRef } from './types.ts'

/** Every message names its sender, its addressee and the sender's term. */
interface Envelope {
  readonly from: MemberId
  readonly to: MemberId
  readonly term: Term
}

export interface AppendMessage extends Envelope {
  readonly kind: 'append'
  readonly session: Session
  /** The entry just before `entries`; the follower must hold it for them to be accepted. */
  readonly prevIndex: Index
  readonly prevTerm: Term
  readonly entries: readonly Entry[]
  readonly commit: Index
}

/** The follower's log agrees with the leader's up to and including `match`, durably. */
export interface AppendAccepted extends Envelope {
  readonly kind: 'appendAccepted'
  readonly session: Session
  readonly match: Index
}

/** The follower did not have the entry at `rejected` with the leader's term. */
export interface AppendRejected extends Envelope {
  readonly kind: 'appendRejected'
  readonly session: Session
  /** `prevIndex` of the append refused. */
  readonly rejected: Index
  /** The logs can agree no later than at `hintIndex`, whose term here is `hintTerm`. */
  readonly hintIndex: Index
  readonly hintTerm: Term
}

export interface HeartbeatMessage extends Envelope {
  readonly kind: 'heartbeat'
  readonly session: Session
  /** Never beyond what this follower is known to hold. */
  readonly commit: Index
  /** The newest read round begun, echoed by the response; 0 before the first. */
  readonly readRound: number
}

export interface HeartbeatResponse extends Envelope {
  readonly kind: 'heartbeatResponse'
  readonly session: Session
  readonly readRound: number
}

/**
 * Stepped into the receiving core only once the driver holds the snapshot's bytes, whole and
 * checked. If the core takes it, an `append` effect names it in `snapshot`.
 */
export interface SnapshotMessage extends Envelope {
  readonly kind: 'snapshot'
  readonly session: Session
  readonly snapshot: SnapshotRef
}

/**
 * What the sender knows to be committed, for whoever holds that entry and does not know it. Rides
 * on votes: without a leader nothing else spreads it, and a change of membership that only some
 * know to be in force can leave everybody waiting for another's vote.
 */
interface Committed {
  readonly commit: Index
  readonly commitTerm: Term
}

/** Asks for a vote in `term`. */
export interface VoteRequest extends Envelope, Committed {
  readonly kind: 'voteRequest'
  readonly lastIndex: Index
  readonly lastTerm: Term
  /** The leader itself asked for this election, so the voters' loyalty to it does not count. */
  readonly transfer: boolean
}

export interface VoteResponse extends Envelope, Committed {
  readonly kind: 'voteResponse'
  readonly granted: boolean
}

/** Asks whether a vote would be given in `term`, which the sender has not entered yet. */
export interface PreVoteRequest extends Envelope, Committed {
  readonly kind: 'preVoteRequest'
  readonly lastIndex: Index
  readonly lastTerm: Term
}

/** When granted, `term` is the request's; when refused, the refuser's own. */
export interface PreVoteResponse extends Envelope, Committed {
  readonly kind: 'preVoteResponse'
  readonly granted: boolean
}

/** Tells a leader or candidate of an older term that its term is over. */
export interface NewerTerm extends Envelope {
  readonly kind: 'newerTerm'
}

/** Tells the transfer's target to stand for election at once. */
export interface TimeoutNow extends Envelope {
  readonly kind: 'timeoutNow'
}

/** A follower asks the leader for a read index. */
export interface ReadRequest extends Envelope {
  readonly kind: 'readRequest'
  readonly readId: ReadId
  /** Drawn anew by each `Raft` object, so that a restarted asker never takes an old answer. */
  readonly nonce: number
}

export interface ReadResponse extends Envelope {
  readonly kind: 'readResponse'
  readonly readId: ReadId
  readonly nonce: number
  readonly index: Index
}

export type Message =
  | AppendMessage
  | AppendAccepted
  | AppendRejected
  | HeartbeatMessage
  | HeartbeatResponse
  | SnapshotMessage
  | VoteRequest
  | VoteResponse
  | PreVoteRequest
  | PreVoteResponse
  | NewerTerm
  | TimeoutNow
  | ReadRequest
  | ReadResponse

export type MessageKind = Message['kind']
