/** The leases there are and the keys that hang on them. When they run out: `lease-deadlines.ts`. */
import { assert } from '../../base/assert.ts'
import { OrderedMap } from './ordered-map.ts'
import type { Lease, LeaseId } from './types.ts'

export interface LeaseState extends Lease {
  /** Its revocation has begun: nothing may be attached any more. */
  revoking: boolean
  /** Ordered, so that every member deletes the same ones first. */
  readonly keys: OrderedMap<true>
}

/** Invariant: a live key's lease is here, and lists the key. */
export class Leases {
  readonly #leases = new OrderedMap<LeaseState>()

  get size(): number {
    return this.#leases.size
  }

  get(id: LeaseId): LeaseState | undefined {
    return this.#leases.get(id)
  }

  /** A lease that keys can be put on. */
  isUsable(id: LeaseId): boolean {
    return this.#leases.get(id)?.revoking === false
  }

  add(id: LeaseId, ttlMs: number, revoking = false): void {
    assert(this.#leases.get(id) === undefined, 'a lease is granted once')
    this.#leases.set(id, { id, ttlMs, revoking, keys: new OrderedMap() })
  }

  remove(id: LeaseId): void {
    assert(this.#leases.get(id)?.keys.size === 0, 'a lease goes after its last key')
    this.#leases.delete(id)
  }

  /** `key` hung on `before` and now hangs on `after`. */
  move(key: string, before: LeaseId | undefined, after: LeaseId | undefined): void {
    if (before === after) return
    if (before !== undefined) this.#leases.get(before)?.keys.delete(key)
    if (after === undefined) return
    const lease = this.#leases.get(after)
    assert(lease !== undefined, 'a key hangs only on a lease that is there')
    lease.keys.set(key, true)
  }

  /** Visits those with ids after `after`, in order, until `visit` returns false. */
  scan(after: LeaseId, visit: (lease: LeaseState) => boolean): void {
    this.#leases.scan(`${after}\0`, undefined, (_, lease) => visit(lease))
  }
}
