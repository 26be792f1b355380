/**
 * The replicated state machine: a multi-version key-value store with leases.
 *
 * Pure and synchronous. The same commands at the same places of the log give the same state and
 * the same answers on every member; nothing here depends on the time, on this member, or on how
 * far a snapshot or a sweep has come.
 */
import { assert, assertNever } from '../../base/assert.ts'
import type { Index, Revision, Term } from '../../base/ids.ts'
import { index as toIndex, term as toTerm } from '../../base/ids.ts'
import { faultOfCommand } from './check.ts'
import { Deletions } from './deletions.ts'
import { compareHolds, RangeReading } from './evaluate.ts'
import { toKeyValue } from './held.ts'
import { Leases } from './leases.ts'
import { SnapshotReader } from './snapshot-reader.ts'
import type {
  ApplyResult,
  Command,
  EventBatch,
  HistoryAnswer,
  KeyValue,
  Lease,
  LeaseId,
  LeaseListing,
  LeaseRow,
  LogPosition,
  Operation,
  OperationResult,
  RangeAnswer,
  RangeRequest,
  RefusalReason,
  Transaction,
} from './types.ts'
import * as bounds from './types.ts'
import { defaultHistoryLimits, type HistoryLimits, Versions } from './versions.ts'

export interface Applied {
  readonly result: ApplyResult
  /** What watches are told; undefined when no key changed. */
  readonly batch: EventBatch | undefined
}

export interface StoreParts {
  readonly versions: Versions
  readonly leases: Leases
  readonly applied: LogPosition
}

export interface StoreStats {
  readonly revision: Revision
  readonly floor: Revision
  readonly liveKeys: number
  /** Keys and values, without what holds them. */
  readonly liveBytes: number
  readonly historyBytes: number
  readonly leases: number
}

export class Store {
  readonly #versions: Versions
  readonly #leases: Leases
  /** The last command applied. Invariant: neither its index nor its term ever goes back. */
  #applied: LogPosition

  /** An empty store, or one put together by `SnapshotRestore`. */
  constructor(limits: HistoryLimits = defaultHistoryLimits, parts?: StoreParts) {
    this.#versions = parts?.versions ?? new Versions(limits)
    this.#leases = parts?.leases ?? new Leases()
    this.#applied = parts?.applied ?? { index: toIndex(0), term: toTerm(0) }
  }

  get revision(): Revision {
    return this.#versions.revision
  }

  /** The oldest revision that can be read or watched; 0 when nothing was forgotten. */
  get floor(): Revision {
    return this.#versions.floor
  }

  get appliedIndex(): Index {
    return this.#applied.index
  }

  get appliedTerm(): Term {
    return this.#applied.term
  }

  stats(): StoreStats {
    const { revision, floor, liveKeys, liveBytes, historyBytes } = this.#versions
    return { revision, floor, liveKeys, liveBytes, historyBytes, leases: this.#leases.size }
  }

  /** What the quota counts; cheap, unlike `stats`. */
  get size(): { readonly liveKeys: number; readonly liveBytes: number; readonly leases: number } {
    const { liveKeys, liveBytes } = this.#versions
    return { liveKeys, liveBytes, leases: this.#leases.size }
  }

  /** As it is now. */
  get(key: string): KeyValue | undefined {
    const item = this.#versions.get(key)
    return item === undefined ? undefined : toKeyValue(item)
  }

  /** Several commands may share a position, as when one log entry carries a batch. */
  apply(command: Command, position: LogPosition): Applied {
    this.advance(position)
    if (faultOfCommand(command) !== undefined) return this.#refuse('malformed')
    switch (command.kind) {
      case 'transaction':
        return this.#transact(command.transaction, position.term)
      case 'leaseGrant':
        return this.#grant(command.id, command.ttlMs)
      case 'leaseRevoke':
        if (command.term !== undefined && command.term !== position.term) {
          return this.#refuse('staleTerm')
        }
        return this.#revoke(command.id)
      case 'compact':
        return this.#compact(command.revision)
      default:
        return assertNever(command)
    }
  }

  /** An entry without a command, such as a new leader's first, was passed. */
  advance(position: LogPosition): void {
    assert(position.index >= this.#applied.index, 'the applied index never goes back')
    assert(position.term >= this.#applied.term, 'the applied term never goes back')
    this.#applied = position
  }

  /**
   * Of a state that a cluster begins anew with: no revision up to this one is given again, and none
   * before is remembered. A transaction that writes and a compaction at it follow, before a snapshot.
   */
  skipTo(revision: Revision): void {
    this.#versions.skipTo(revision)
  }

  range(request: RangeRequest): RangeAnswer {
    const fault = this.#faultOfRevision(request.revision)
    if (fault === 'compacted') return { kind: 'compacted', floor: this.floor }
    if (fault === 'futureRevision') return { kind: 'futureRevision', revision: this.revision }
    const reading = new RangeReading(request, bounds.maxRangeBytes)
    reading.readOn(this.#versions, { left: Infinity })
    return { kind: 'range', result: reading.result }
  }

  /** As `range`, but for `maxKeysLookedAt` at most: whoever asks goes on until it is done. */
  readOn(reading: RangeReading): 'compacted' | 'futureRevision' | undefined {
    const fault = this.#faultOfRevision(reading.revision)
    if (fault === undefined) reading.readOn(this.#versions, { left: bounds.maxKeysLookedAt })
    return fault
  }

  /**
   * Changes in the range from revision `from` on, whole revisions in order, a bounded stretch at
   * a time. `compacted` when `from` is below the floor; 0 stands for the very beginning.
   */
  history(from: Revision, key: string, rangeEnd: string | undefined): HistoryAnswer {
    return this.#versions.read(from, key, rangeEnd)
  }

  lease(id: LeaseId): Lease | undefined {
    const lease = this.#leases.get(id)
    return lease === undefined || lease.revoking ? undefined : { id, ttlMs: lease.ttlMs }
  }

  /** Its revocation has begun, and some of its keys are still there. */
  isRevoking(id: LeaseId): boolean {
    return this.#leases.get(id)?.revoking === true
  }

  /**
   * At most `count` leases with ids after `after`, in order; those whose revocation has only begun
   * too: their revoker goes on with them.
   */
  leasesAfter(after: LeaseId, count: number): Lease[] {
    const leases: Lease[] = []
    this.#leases.scan(after, ({ id, ttlMs }) => {
      leases.push({ id, ttlMs })
      return leases.length < count
    })
    return leases
  }

  /** Leases that keys can be put on, with ids after `after`. */
  leaseRows(after: LeaseId): LeaseListing {
    const leases: LeaseRow[] = []
    let more = false
    this.#leases.scan(after, ({ id, ttlMs, keys, revoking }) => {
      if (revoking) return true
      more = leases.length === bounds.maxLeasesListed
      if (!more) leases.push({ id, ttlMs, keys: keys.size })
      return !more
    })
    return { leases, more }
  }

  /**
   * The state as it is now, as pieces of about `chunkBytes`, to be taken one by one while later
   * commands are applied. Let it end, or call `return()`: until then it holds back the sweep.
   */
  snapshotChunks(chunkBytes?: number): SnapshotReader {
    return new SnapshotReader(this.#versions, this.#leases, this.#applied, chunkBytes)
  }

  /** Drops about `budget` forgotten versions. False when there are no more; never needed. */
  sweep(budget: number): boolean {
    return this.#versions.sweep(budget)
  }

  #transact(transaction: Transaction, term: Term): Applied {
    if (transaction.term !== undefined && transaction.term !== term) {
      return this.#refuse('staleTerm')
    }
    const succeeded = transaction.compare.every((compare) =>
      compareHolds(compare, this.#versions.get(compare.key)),
    )
    const operations = succeeded ? transaction.then : transaction.otherwise
    const deletions = new Deletions(this.#versions, operations)
    const refusal = this.#refusalOf(operations, deletions)
    if (refusal !== undefined) return this.#refuse(refusal)
    const results = this.#run(operations, deletions)
    const batch = this.#versions.commit()
    return { result: { kind: 'transaction', succeeded, revision: this.revision, results }, batch }
  }

  /** Everything that can refuse is found before anything is written. */
  #refusalOf(operations: readonly Operation[], deletions: Deletions): RefusalReason | undefined {
    let deleted = 0
    for (const operation of operations) {
      if (operation.kind === 'put') {
        const { lease } = operation
        if (lease !== undefined && !this.#leases.isUsable(lease)) return 'leaseUnknown'
      } else if (operation.kind === 'range') {
        const fault = this.#faultOfRevision(operation.range.revision)
        if (fault !== undefined) return fault
      } else {
        if (operation.rangeEnd !== undefined && deletions.isTooMany) return 'tooManyKeys'
        deleted += deletions.keysOf(operation).length
        if (deleted > bounds.maxKeysDeletedTogether) return 'tooManyKeys'
      }
    }
    return undefined
  }

  #run(operations: readonly Operation[], deletions: Deletions): OperationResult[] {
    const looks = { left: bounds.maxKeysLookedAt }
    let bytesLeft = bounds.maxRangeBytes
    return operations.map((operation) => {
      switch (operation.kind) {
        case 'put':
          this.#put(operation.key, operation.value, operation.lease)
          return { kind: 'put' }
        case 'delete':
          return { kind: 'delete', deleted: this.#deleteAll(deletions.keysOf(operation)) }
        case 'range': {
          const isFirst = bytesLeft === bounds.maxRangeBytes
          const range = withRowsBounded(operation.range)
          const reading = new RangeReading(range, bytesLeft, isFirst)
          reading.readOn(this.#versions, looks)
          bytesLeft = Math.max(0, bytesLeft - reading.bytes)
          return { kind: 'range', result: reading.result }
        }
        default:
          return assertNever(operation)
      }
    })
  }

  #put(key: string, value: Uint8Array, lease: LeaseId | undefined): void {
    this.#leases.move(key, this.#versions.get(key)?.lease, lease)
    this.#versions.put(key, value, lease)
  }

  #delete(key: string): void {
    this.#leases.move(key, this.#versions.get(key)?.lease, undefined)
    this.#versions.delete(key)
  }

  #deleteAll(keys: readonly string[]): number {
    for (const key of keys) this.#delete(key)
    return keys.length
  }

  #grant(id: LeaseId, ttlMs: number): Applied {
    if (this.#leases.get(id) !== undefined) return this.#refuse('leaseExists')
    this.#leases.add(id, ttlMs)
    return { result: { kind: 'leaseGranted', id, ttlMs }, batch: undefined }
  }

  #revoke(id: LeaseId): Applied {
    const lease = this.#leases.get(id)
    if (lease === undefined) return this.#refuse('leaseUnknown')
    lease.revoking = true
    const keys: string[] = []
    lease.keys.scan('', undefined, (key) => {
      keys.push(key)
      return keys.length < bounds.maxOperationsPerTransaction
    })
    this.#deleteAll(keys)
    const batch = this.#versions.commit()
    const left = lease.keys.size
    if (left === 0) this.#leases.remove(id)
    return { result: { kind: 'leaseRevoked', id, left, revision: this.revision }, batch }
  }

  /** What is forgotten already stays so: compacting to an older revision changes nothing. */
  #compact(revision: Revision): Applied {
    if (revision > this.revision) return this.#refuse('futureRevision')
    this.#versions.compact(revision)
    return { result: { kind: 'compacted', revision: this.floor }, batch: undefined }
  }

  #refuse(reason: RefusalReason): Applied {
    return { result: { kind: 'refused', reason, revision: this.revision }, batch: undefined }
  }

  #faultOfRevision(revision: Revision | undefined): 'compacted' | 'futureRevision' | undefined {
    if (revision === undefined) return undefined
    if (revision < this.floor) return 'compacted'
    return revision > this.revision ? 'futureRevision' : undefined
  }
}

/** What a transaction reads is in its answer whole: nobody pages through it. */
function withRowsBounded(range: RangeRequest): RangeRequest {
  const { maxRowsPerRange } = bounds
  const isBounded = range.limit !== undefined && range.limit > 0 && range.limit <= maxRowsPerRange
  return isBounded ? range : { ...range, limit: maxRowsPerRange }
}
