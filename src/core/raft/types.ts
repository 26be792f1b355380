/**
 * The words of the consensus core: what goes in (`Input`), what comes out (`Effect`), what
 * travels between members (`Message`), and what is kept (`Entry`, `HardState`, `SnapshotRef`).
 *
 * The core is a pure state machine. It never touches disk, network or clock: a driver steps
 * inputs in, takes effects out, and carries them out in the order given.
 */
import type { Index, MemberId, Term } from '../../base/ids.ts'
import type { Message, SnapshotMessage } from './messages.ts'

export type * from './messages.ts'

declare const brand: unique symbol
type Branded<T, B extends string> = T & { readonly [brand]: B }

/** Chosen by the caller of `propose` and `changeMembers`; comes back with the outcome. */
export type ProposalId = Branded<number, 'ProposalId'>
/** Chosen by the caller of `readIndex`; never used twice in the life of one `Raft` object. */
export type ReadId = Branded<number, 'ReadId'>
/** Names one `append` effect. Tokens grow by one; durability is reported in their order. */
export type AppendToken = Branded<number, 'AppendToken'>
/**
 * Names one stretch of a leader replicating to one member, from the moment it began to track
 * that member until it stopped. Replication messages and their responses carry it, so that a
 * response from before a member was removed and added again is never taken for a new one.
 */
export type Session = Branded<number, 'Session'>

// ---------------------------------------------------------------- members

/**
 * Who takes part. All lists are sorted ascending and without repeats.
 *
 * Invariants: `outgoing` is empty exactly when the configuration is not joint; `learners` shares
 * no id with `voters` or `outgoing`; `learnersNext` is a subset of `outgoing` and is empty
 * unless joint; `autoLeave` is false unless joint.
 */
export interface ConfState {
  readonly voters: readonly MemberId[]
  /** The voters before a joint change; a decision needs a majority of both lists. */
  readonly outgoing: readonly MemberId[]
  readonly learners: readonly MemberId[]
  /** Voters of `outgoing` that become learners when the joint configuration is left. */
  readonly learnersNext: readonly MemberId[]
  /** Whether the leader leaves the joint configuration by itself once it is applied. */
  readonly autoLeave: boolean
}

export interface MemberStep {
  /** `update` changes nothing here; it exists so that a change can name a member only. */
  readonly kind: 'addVoter' | 'addLearner' | 'remove' | 'update'
  readonly id: MemberId
}

/**
 * A change of membership. It takes effect, on each member, when its entry is applied.
 * `simple` may change at most one voter; anything more goes through a joint configuration.
 */
export type MemberChange =
  | { readonly kind: 'simple'; readonly steps: readonly MemberStep[] }
  | {
      readonly kind: 'enterJoint'
      readonly steps: readonly MemberStep[]
      readonly autoLeave: boolean
    }
  | { readonly kind: 'leaveJoint' }

// ---------------------------------------------------------------- what is kept

/** One position of the log. `data` is opaque to the core and may be empty. */
export type Entry = NormalEntry | ConfigEntry

export interface NormalEntry {
  readonly kind: 'normal'
  readonly index: Index
  readonly term: Term
  readonly data: Uint8Array
}

export interface ConfigEntry {
  readonly kind: 'config'
  readonly index: Index
  readonly term: Term
  readonly change: MemberChange
}

/** What must survive a crash beside the entries. */
export interface HardState {
  readonly term: Term
  /** Whom this member voted for in `term`; `noMember` when nobody. */
  readonly vote: MemberId
  /** Invariant: never beyond the last entry or snapshot written no later than it. */
  readonly commit: Index
}

/** A snapshot by name. Its bytes are the driver's: the core never sees them. */
export interface SnapshotRef {
  /** The last index the snapshot covers. */
  readonly index: Index
  readonly term: Term
  /** The configuration as of `index`. */
  readonly config: ConfState
}

/**
 * What a restarted member knows. A new member of an existing cluster starts with
 * `emptyRestoredState`; the first member starts with a snapshot at index 1 or higher whose
 * configuration names it as the only voter.
 */
export interface RestoredState {
  readonly hardState: HardState
  /** The snapshot the state machine has been restored from; index 0 when there is none. */
  readonly snapshot: SnapshotRef
  /**
   * What the log still holds, without gaps, up to its end. It may begin at or before
   * `snapshot.index` (those entries help slow followers), never after `snapshot.index + 1`.
   */
  readonly entries: readonly Entry[]
}

// ---------------------------------------------------------------- inputs

export interface Proposal {
  readonly proposalId: ProposalId
  readonly data: Uint8Array
}

/**
 * `nowMs` is the caller's monotonic clock; it never goes back. After a stall, step the messages
 * that waited before the tick, or the tick will take the silence for real.
 */
export type Input =
  | { readonly kind: 'tick'; readonly nowMs: number }
  /** On the leader, with `holdCommitNotice`: who has not been told of a commit yet, is told now. */
  | { readonly kind: 'tellCommit' }
  | { readonly kind: 'receive'; readonly message: Message; readonly nowMs: number }
  /**
   * Each is accepted or dropped by itself; what is accepted leaves in one append message a
   * follower. A driver gathers what one turn of its loop brings.
   */
  | { readonly kind: 'propose'; readonly proposals: readonly Proposal[] }
  | {
      readonly kind: 'changeMembers'
      readonly proposalId: ProposalId
      readonly change: MemberChange
    }
  | { readonly kind: 'readIndex'; readonly readId: ReadId }
  | { readonly kind: 'transfer'; readonly to: MemberId }
  /** Stand for election now, without waiting for the timeout. */
  | { readonly kind: 'campaign' }
  /** Give up the present leader without changing term; followers and learners only. */
  | { readonly kind: 'forgetLeader' }
  /**
   * The append named by `token`, and every one before it, is durable. For an append with a
   * snapshot this also says that the state machine has been restored from it.
   */
  | { readonly kind: 'appended'; readonly token: AppendToken }
  /** The state machine holds everything up to `upto`. Configuration entries take effect here. */
  | { readonly kind: 'applied'; readonly upto: Index }
  /**
   * `snapshot` is durable here and may be sent to others; entries up to and including `upto`
   * leave memory. Invariant: `upto` <= `snapshot.index` <= applied.
   */
  | { readonly kind: 'compacted'; readonly snapshot: SnapshotRef; readonly upto: Index }
  /** The `sendSnapshot` to `to` ended: the bytes and the message arrived, or they did not. */
  | { readonly kind: 'snapshotSent'; readonly to: MemberId; readonly ok: boolean }
  /** A message to `id` was lost, for instance with its connection. */
  | { readonly kind: 'unreachable'; readonly id: MemberId }
  /** Slows or quickens the timers, as the measured loop delay and round trip ask. */
  | {
      readonly kind: 'setTimers'
      readonly electionTimeoutMs: number
      readonly loyaltyMs: number
      readonly heartbeatMs: number
    }

// ---------------------------------------------------------------- effects

/** Why a proposal or member change did not enter the log. */
export type DropReason =
  | 'notLeader'
  /** Leadership is being handed over. */
  | 'transferring'
  /** `maxUncommittedBytes` would be passed: the cluster takes entries slower than they come. */
  | 'uncommittedLimit'
  /** `data` is longer than `maxEntryBytes`. */
  | 'tooLarge'
  /** This leader is no longer in the configuration. */
  | 'removed'
  /** An earlier member change has not been applied yet. */
  | 'memberChangePending'
  /** The change does not fit the present configuration. */
  | 'memberChangeInvalid'

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader'

export interface AppendEffect {
  readonly kind: 'append'
  readonly token: AppendToken
  /** Present when it differs from the last one handed out. Write it after `entries`. */
  readonly hardState?: HardState
  /** Present when entries handed out before, at and after this index, are void. */
  readonly truncateFrom?: Index
  /** Consecutive; the first is at `truncateFrom`, or one past the last handed out. */
  readonly entries: readonly Entry[]
  /** Replaces the whole log and state machine; `entries`, if any, follow it. */
  readonly snapshot?: SnapshotRef
  /**
   * Whether anyone depends on this being on disk: false when only the commit index moved or
   * when the append is empty and merely waits for the ones before it.
   */
  readonly mustSync: boolean
  /** May leave only once this append is durable; then report `appended`. May be empty. */
  readonly whenDurable: readonly Message[]
}

/**
 * Carry them out in order. `send` needs nothing to be durable. `sendSnapshot` means: move the
 * bytes of `message.snapshot` to `message.to`, then the message, then report `snapshotSent`.
 */
export type Effect =
  | { readonly kind: 'send'; readonly message: Message }
  | { readonly kind: 'sendSnapshot'; readonly message: SnapshotMessage }
  | AppendEffect
  /** Consecutive committed entries; report `applied` in order. */
  | { readonly kind: 'apply'; readonly entries: readonly Entry[] }
  /** A read is linearizable once the state machine holds `index`. */
  | { readonly kind: 'readReady'; readonly readId: ReadId; readonly index: Index }
  /** Nothing is known about the read; the caller may ask again with a new id. */
  | { readonly kind: 'readFailed'; readonly readId: ReadId }
  /**
   * The proposal has this place in the leader's log. It is committed when an entry with this
   * index and this term is applied, and lost when another one with that index is.
   */
  | {
      readonly kind: 'proposalAppended'
      readonly proposalId: ProposalId
      readonly index: Index
      readonly term: Term
    }
  | {
      readonly kind: 'proposalDropped'
      readonly proposalId: ProposalId
      readonly reason: DropReason
    }
  | {
      readonly kind: 'roleChanged'
      readonly role: Role
      readonly leader: MemberId
      readonly term: Term
    }
  /** The configuration in force here changed, by an applied entry or a snapshot. */
  | { readonly kind: 'configChanged'; readonly config: ConfState; readonly index: Index }

// ---------------------------------------------------------------- configuration

/** A uniform integer in [min, max]; `ports/Entropy` and `SeededRandom` both fit. */
export interface RandomIntegers {
  integer(min: number, max: number): number
}

/** Where lines about decisions go, in etcd's wording; absent in normal running. */
export type TraceSink = (level: 'debug' | 'info' | 'warn' | 'error', line: string) => void

/** The unit of the time fields is the caller's, as long as `nowMs` uses the same one. */
export interface RaftConfig {
  readonly id: MemberId
  /** Each wait is drawn anew, uniformly from [this, 2 x this - 1]. Must exceed `heartbeatMs`. */
  readonly electionTimeoutMs: number
  /**
   * So long after a leader was heard a voter refuses whoever stands against it, when `checkQuorum`
   * is on. At most `electionTimeoutMs`, which test scripts expect. Shorter is enough: whoever
   * stands has missed the leader for a whole timeout of its own, and two who miss it say more
   * than one.
   */
  readonly loyaltyMs: number
  readonly heartbeatMs: number
  /** Ask whether an election could be won before starting one. */
  readonly preVote: boolean
  /**
   * A pre-candidate asks those who have not answered again with every heartbeat's time. Voters
   * that are still loyal to a leader say nothing, and their wait may end well before another of
   * its own would. Outside test scripts expect one question a campaign.
   */
  readonly repeatPreVote: boolean
  /** A leader that hears no quorum for an election timeout steps down; voters stay loyal. */
  readonly checkQuorum: boolean
  /** `leaseBased` trusts clocks; only outside test scripts use it. */
  readonly readOnly: 'safe' | 'leaseBased'
  /** A leader that is no longer a voter gives up leadership once it has applied that. */
  readonly stepDownOnRemoval: boolean
  /** Allows a member change while another is unapplied. Only outside test scripts do. */
  readonly disableMemberChangeValidation: boolean
  /**
   * Hands out entries to apply in the same batch that writes them. Only for a driver that
   * finishes each append before it applies.
   */
  readonly applyBeforeDurable: boolean
  /**
   * That something is committed is told with the next append or heartbeat, or on `tellCommit`,
   * instead of by an append of its own: under load that is half of all messages. Changes of the
   * members are told at once. Outside test scripts expect that of all.
   */
  readonly holdCommitNotice: boolean
  /**
   * Whoever is sent appends and answers them gets no heartbeats: both say the same. Outside test
   * scripts expect a heartbeat for everybody, all at the same time.
   */
  readonly restWhileAppending: boolean
  /** Longest `data` of a proposal. */
  readonly maxEntryBytes: number
  /** Most entry bytes in one append message; one entry always fits. */
  readonly maxAppendBytes: number
  /** Most append messages on their way to one follower. */
  readonly maxInflightMessages: number
  /** Most entry bytes on their way to one follower; the message that passes it still leaves. */
  readonly maxInflightBytes: number
  /** Most bytes of entries proposed here and not yet committed; the first always fits. */
  readonly maxUncommittedBytes: number
  /** Most bytes handed out to apply and not yet applied; one entry always fits. */
  readonly maxApplyingBytes: number
  /** Most reads waiting here; more fail at once. */
  readonly maxPendingReads: number
  readonly trace?: TraceSink
}

// ---------------------------------------------------------------- status

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

export interface ProgressStatus {
  readonly id: MemberId
  readonly state: ProgressState
  readonly match: Index
  readonly next: Index
  readonly learner: boolean
  readonly paused: boolean
  readonly recentlyActive: boolean
  readonly pendingSnapshot: Index
  readonly inflightMessages: number
  readonly inflightBytes: number
  readonly inflightFull: boolean
}

export interface RaftStatus {
  readonly id: MemberId
  readonly role: Role
  readonly term: Term
  readonly vote: MemberId
  /** `noMember` when unknown. */
  readonly leader: MemberId
  readonly commit: Index
  readonly applied: Index
  /** The oldest index whose entry is still in memory, or one past the last. */
  readonly firstIndex: Index
  readonly lastIndex: Index
  /** The last index known to be durable here. */
  readonly durableIndex: Index
  /** A snapshot was received, and is not yet durable and restored; nothing is applied meanwhile. */
  readonly isRestoring: boolean
  readonly config: ConfState
  readonly transferTarget: MemberId
  /** One per tracked member, ascending; empty unless leader. */
  readonly progress: readonly ProgressStatus[]
  readonly uncommittedBytes: number
  readonly pendingReads: number
}
