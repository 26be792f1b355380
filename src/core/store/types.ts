/**
 * The replicated key-value state: its commands, which are all the log knows, and its answers.
 *
 * One global revision grows by one with each transaction that changes anything. Keys are
 * well-formed strings of at most `maxKeyLength` UTF-16 units, ordered by code unit; a range is
 * `[key, rangeEnd)`, or the one key when `rangeEnd` is absent.
 */
import type { Index, Revision, Term } from '../../base/ids.ts'

export const maxKeyLength = 1024
export const maxValueBytes = 1_048_576
export const maxOperationsPerTransaction = 512
export const maxTransactionBytes = 1_572_864
export const maxLeaseIdLength = 64
/** Ten years: a longer lease is a mistake in the unit. */
export const maxLeaseTtlMs = 10 * 366 * 86_400_000
/**
 * Keys, values and what each row costs beside, in the answers of one request; what is beyond is
 * told by `more`. A unit of a key is three bytes at most: even then they fit a frame between peers.
 */
export const maxRangeBytes = 4 * 1_048_576
/** Of the three revisions, the names of its fields and its lease, in any encoding but JSON. */
export const rowOverheadBytes = 128
/** A range in a transaction has no more, whatever its limit; what is beyond is told by `more`. */
export const maxRowsPerRange = 1000
/**
 * Keys, and newer versions on the way to an old one, that the ranges of one transaction look at
 * together, found or not; what is beyond is told by `more`. A read that changes nothing goes on
 * after so many, when the loop has seen to others.
 */
export const maxKeysLookedAt = 20_000
/** Leases in one answer; what is beyond is told by `more`. */
export const maxLeasesListed = 1000
/** Deleting more keys at once would hold up the loop: a transaction that asks is refused. */
export const maxKeysDeletedTogether = 5_000

export interface KeyValue {
  readonly key: string
  readonly value: Uint8Array
  /** The revision that created the key. Invariant: 0 < createRevision <= modRevision. */
  readonly createRevision: Revision
  /** The revision that last wrote it. */
  readonly modRevision: Revision
  /** How often it was written since it was created; 1 when new. */
  readonly version: number
  readonly lease: LeaseId | undefined
}

/** Chosen by whoever grants; unique by its randomness (96 bits, hex). Not empty. */
export type LeaseId = string

export interface Lease {
  readonly id: LeaseId
  readonly ttlMs: number
}

export interface LeaseRow extends Lease {
  /** Keys that end with it. */
  readonly keys: number
}

export interface LeaseListing {
  /** In the order of their ids; at most `maxLeasesListed`. */
  readonly leases: readonly LeaseRow[]
  readonly more: boolean
}

/** Where in the log a command stands. Its term is what term guards are compared with. */
export interface LogPosition {
  readonly term: Term
  readonly index: Index
}

/** The commands of the log, and there are no others (ARCHITECTURE 5). */
export type Command = TransactionCommand | LeaseGrantCommand | LeaseRevokeCommand | CompactCommand

export interface TransactionCommand {
  readonly kind: 'transaction'
  readonly transaction: Transaction
}

export interface LeaseGrantCommand {
  readonly kind: 'leaseGrant'
  readonly id: LeaseId
  readonly ttlMs: number
}

/** Deletes at most `maxOperationsPerTransaction` keys; the proposer repeats until `left` is 0. */
export interface LeaseRevokeCommand {
  readonly kind: 'leaseRevoke'
  readonly id: LeaseId
  /** Present when the leader found it expired: another term's apply refuses it. */
  readonly term: Term | undefined
}

export interface CompactCommand {
  readonly kind: 'compact'
  /** History below this revision is forgotten; watches from below are told. */
  readonly revision: Revision
}

/**
 * Its operations take effect together, at one revision. A key is written at most once: two puts
 * of a key, or a put of a key that a delete of the same branch covers, are malformed.
 */
export interface Transaction {
  /** All must hold for `then` to run; otherwise `otherwise` runs. */
  readonly compare: readonly Compare[]
  readonly then: readonly Operation[]
  readonly otherwise: readonly Operation[]
  /** Apply refuses the transaction unless its log entry has this term. */
  readonly term?: Term
}

export type Compare =
  | {
      readonly target: 'version' | 'createRevision' | 'modRevision'
      readonly key: string
      readonly is: '=' | '!=' | '<' | '>'
      /** An absent key has version 0 and revisions 0. */
      readonly to: number
    }
  | {
      readonly target: 'value'
      readonly key: string
      readonly is: '=' | '!='
      /** An absent key equals nothing. */
      readonly to: Uint8Array
    }

export type Operation =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: Uint8Array
      readonly lease?: LeaseId
    }
  | { readonly kind: 'delete'; readonly key: string; readonly rangeEnd?: string }
  | { readonly kind: 'range'; readonly range: RangeRequest }

export interface RangeRequest {
  readonly key: string
  readonly rangeEnd?: string
  /** At most this many keys; 0 or absent is no limit but the answer's bytes. */
  readonly limit?: number
  /** Read as of this revision; absent is the latest. Below the compaction: `compacted`. */
  readonly revision?: Revision
  /** Values come back empty. */
  readonly keysOnly?: boolean
}

export interface RangeResult {
  /** The store's revision at the read; inside a transaction, with that transaction's writes. */
  readonly revision: Revision
  readonly items: readonly KeyValue[]
  /** More keys are in the range than were returned. */
  readonly more: boolean
}

export type OperationResult =
  | { readonly kind: 'put' }
  | { readonly kind: 'delete'; readonly deleted: number }
  | { readonly kind: 'range'; readonly result: RangeResult }

/** What applying one command yields: the same on every member. */
export type ApplyResult =
  | {
      readonly kind: 'transaction'
      readonly succeeded: boolean
      /** The store's revision after the transaction. */
      readonly revision: Revision
      readonly results: readonly OperationResult[]
    }
  | { readonly kind: 'leaseGranted'; readonly id: LeaseId; readonly ttlMs: number }
  | {
      readonly kind: 'leaseRevoked'
      readonly id: LeaseId
      readonly left: number
      readonly revision: Revision
    }
  | { readonly kind: 'compacted'; readonly revision: Revision }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly revision: Revision }

export type RefusalReason =
  | 'staleTerm'
  | 'leaseUnknown'
  | 'leaseExists'
  | 'compacted'
  | 'futureRevision'
  /** A delete covers more than `maxKeysDeletedTogether`. */
  | 'tooManyKeys'
  | 'malformed'

export type RangeAnswer =
  | { readonly kind: 'range'; readonly result: RangeResult }
  /** `floor` is the oldest revision that can still be read. */
  | { readonly kind: 'compacted'; readonly floor: Revision }
  | { readonly kind: 'futureRevision'; readonly revision: Revision }

/** A stretch of the past for a watch that catches up. */
export type HistoryAnswer =
  | {
      readonly kind: 'history'
      readonly batches: readonly EventBatch[]
      /** Ask from here next; beyond the store's revision when the watch has caught up. */
      readonly next: Revision
    }
  | { readonly kind: 'compacted'; readonly floor: Revision }

/** One change, as watches tell it. Events of one revision are always told together. */
export type StoreEvent =
  | { readonly kind: 'put'; readonly item: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: Revision }

/** All events of `revision` that a watch's range holds, ordered by key. */
export interface EventBatch {
  readonly revision: Revision
  readonly events: readonly StoreEvent[]
}
