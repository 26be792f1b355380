/**
 * The store of a machine that may become a member, or stop being one: its own copy while that is
 * worth reading, the members' otherwise.
 */
import { type Revision, revision } from '../../base/ids.ts'
import type {
  EventBatch,
  LeaseId,
  LeaseListing,
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
  /** Watches of others' copies; each ends, to go on here, when the own copy takes over. */
  readonly #elsewhere = new Set<AbortController>()

  constructor(own: () => MemberStore | undefined, remote: RemoteStore) {
    this.#own = own
    this.#remote = remote
  }

  /** A new member may still be far behind: until it has caught up, its copy is for itself. */
  #current(): StoreAccess {
    const own = this.#own()
    if (own !== undefined && own === this.#caughtUp) return own
    this.#letGo()
    if (own === undefined) return this.#remote
    const { leadership, store } = own.member
    if (leadership.role === 'learner' || store.revision < this.#remote.seen) return this.#remote
    this.#caughtUp = own
    for (const watch of this.#elsewhere) watch.abort()
    return own
  }

  /** The member that was here is gone; what it has shown is still never gone back behind. */
  #letGo(): void {
    if (this.#caughtUp === undefined) return
    this.#remote.noteSeen(this.#caughtUp.member.store.revision)
    this.#caughtUp = undefined
  }

  /** To be called as the own copy grows: whoever watches elsewhere then learns of it in time. */
  noteApplied(): void {
    this.#current()
  }

  transact(transaction: Transaction): Promise<TransactionResult> {
    return this.#current().transact(transaction)
  }

  range(request: RangeRequest, consistency: Consistency): Promise<RangeResult> {
    return this.#current().range(request, consistency)
  }

  /**
   * A watch that began on another member's copy goes on from the own one as soon as that counts.
   * Otherwise the loss of the other machine would blind a member that needs nobody to see.
   */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<EventBatch> {
    let { fromRevision } = request
    while (!signal.aborted) {
      const current = this.#current()
      if (current !== this.#remote) {
        yield* current.watch({ ...request, fromRevision }, signal)
        return
      }
      // Not `AbortSignal.any`: a signal composed of others is never freed while they live.
      const moved = new AbortController()
      const stop = (): void => moved.abort()
      signal.addEventListener('abort', stop, { once: true })
      this.#elsewhere.add(moved)
      try {
        for await (const batch of current.watch({ ...request, fromRevision }, moved.signal)) {
          yield batch
          fromRevision = revision(batch.revision + 1)
        }
      } finally {
        this.#elsewhere.delete(moved)
        signal.removeEventListener('abort', stop)
      }
      if (!moved.signal.aborted) return
    }
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

  leaseList(after: LeaseId): Promise<LeaseListing> {
    return this.#current().leaseList(after)
  }

  compact(below: Revision): Promise<void> {
    return this.#current().compact(below)
  }

  view(): Promise<MemberView> {
    return this.#current().view()
  }
}
