/**
 * The store of a machine that may become a member, or stop being one: its own copy while that is
 * worth reading, the members' otherwise.
 */
import type { Revision } from '../../base/ids.ts'
import type {
  EventBatch,
  LeaseId,
  RangeRequest,
  RangeResult,
  Transaction,
} from '../../core/store/types.ts'
import type { MemberStore } from './member-store.ts'
import type { RemoteStore } from './remote-store.ts'
import type {
  Consistency,
  MemberView,
  StoreAccess,
  TransactionResult,
  WatchRequest,
} from './store-access.ts'

export class SwitchingStore implements StoreAccess {
  readonly #own: () => MemberStore | undefined
  readonly #remote: RemoteStore
  /** The member whose copy has once caught up with what others had told. */
  #caughtUp: MemberStore | undefined

  constructor(own: () => MemberStore | undefined, remote: RemoteStore) {
    this.#own = own
    this.#remote = remote
  }

  /** A new member may still be far behind: until it has caught up, its copy is for itself. */
  #current(): StoreAccess {
    const own = this.#own()
    if (own === undefined) return this.#remote
    if (own === this.#caughtUp) return own
    const { leadership, store } = own.member
    if (leadership.role === 'learner' || store.revision < this.#remote.seen) return this.#remote
    this.#caughtUp = own
    return own
  }

  transact(transaction: Transaction): Promise<TransactionResult> {
    return this.#current().transact(transaction)
  }

  range(request: RangeRequest, consistency: Consistency): Promise<RangeResult> {
    return this.#current().range(request, consistency)
  }

  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<EventBatch> {
    return this.#current().watch(request, signal)
  }

  leaseGrant(ttlMs: number): Promise<LeaseId> {
    return this.#current().leaseGrant(ttlMs)
  }

  leaseRevoke(id: LeaseId): Promise<void> {
    return this.#current().leaseRevoke(id)
  }

  leaseKeepAlive(id: LeaseId): Promise<boolean> {
    return this.#current().leaseKeepAlive(id)
  }

  compact(revision: Revision): Promise<void> {
    return this.#current().compact(revision)
  }

  view(): Promise<MemberView> {
    return this.#current().view()
  }
}
