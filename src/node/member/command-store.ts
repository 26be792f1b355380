/** The half of `StoreAccess` that is the same on a member and on a client: writes. */
import { assert } from '../../base/assert.ts'
import { toHex } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import type { Revision } from '../../base/ids.ts'
import type {
  ApplyResult,
  Command,
  EventBatch,
  LeaseId,
  LeaseListing,
  RangeRequest,
  RangeResult,
  Transaction,
} from '../../core/store/types.ts'
import type { Entropy } from '../../ports/entropy.ts'
import { refused } from './errors.ts'
import type {
  Consistency,
  MemberView,
  StoreAccess,
  TransactionResult,
  WatchRequest,
} from './store-access.ts'

const leaseIdBytes = 12

export abstract class CommandStore implements StoreAccess {
  readonly #entropy: Entropy

  constructor(entropy: Entropy) {
    this.#entropy = entropy
  }

  /** Commits and applies one command on whoever leads. Rejects like `StoreAccess.transact`. */
  protected abstract propose(command: Command): Promise<ApplyResult>
  abstract range(request: RangeRequest, consistency: Consistency): Promise<RangeResult>
  abstract watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<EventBatch>
  abstract leaseKeepAlive(id: LeaseId): Promise<boolean>
  abstract leaseList(after: LeaseId): Promise<LeaseListing>
  abstract view(): Promise<MemberView>

  async transact(transaction: Transaction): Promise<TransactionResult> {
    const result = await this.propose({ kind: 'transaction', transaction })
    if (result.kind === 'refused') throw refused(result.reason)
    assert(result.kind === 'transaction', 'a transaction is answered as one')
    return result
  }

  async leaseGrant(ttlMs: number): Promise<LeaseId> {
    const id = toHex(this.#entropy.bytes(leaseIdBytes))
    const result = await this.propose({ kind: 'leaseGrant', id, ttlMs })
    if (result.kind === 'refused') throw refused(result.reason)
    return id
  }

  async leaseRevoke(id: LeaseId): Promise<void> {
    for (let hasBegun = false; ; hasBegun = true) {
      const result = await this.propose({ kind: 'leaseRevoke', id, term: undefined })
      // The leader goes on with what was begun, and may be faster.
      if (result.kind === 'refused' && result.reason === 'leaseUnknown' && hasBegun) return
      if (result.kind === 'refused') throw refused(result.reason)
      if (result.kind !== 'leaseRevoked') throw new JangadaError('JGD_INTERNAL', 'no revocation')
      if (result.left === 0) return
    }
  }

  async compact(revision: Revision): Promise<void> {
    const result = await this.propose({ kind: 'compact', revision })
    if (result.kind === 'refused') throw refused(result.reason)
  }
}
