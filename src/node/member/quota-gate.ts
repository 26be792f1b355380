/** The quota on the leader's way to its log: who is let in, and who is told that there is no room. */
import { JangadaError } from '../../base/errors.ts'
import type { Revision } from '../../base/ids.ts'
import { quotaLimit, systemPrefix } from '../../core/records/keyspace.ts'
import {
  defaultQuotaBytes,
  isAdmitted,
  maxLeases,
  reserveOf,
  usedBytes,
} from '../../core/store/quota.ts'
import type { Store } from '../../core/store/store.ts'
import type { Command } from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { StoreRoom } from './store-access.ts'

const limitKey = quotaLimit.key('limit')

export class QuotaGate {
  readonly #store: () => Store
  readonly #clock: Clock
  /** The setting as it was read last. */
  #limit: { readonly at: Revision; readonly bytes: number } | undefined
  #refusedAtMs: number | undefined

  /** `store` is asked anew each time: a snapshot from the leader replaces it. */
  constructor(store: () => Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Throws JGD_STORE_FULL or JGD_TOO_MANY; then nothing was proposed. What is on its way may go
   * beyond either bound.
   */
  check(command: Command): void {
    const store = this.#store()
    if (command.kind === 'leaseGrant' && store.size.leases >= maxLeases) {
      throw new JangadaError('JGD_TOO_MANY', `there are ${maxLeases} leases, and may be no more`, {
        hint: 'put many keys on one lease, and revoke what nobody needs: jangada kv lease --help',
      })
    }
    const { quotaBytes } = this
    if (isAdmitted({ store, command, quotaBytes, systemPrefix })) return
    this.#refusedAtMs = this.#clock.monotonicMs()
    const { used, users } = roomInMiB(this.room())
    throw new JangadaError('JGD_STORE_FULL', `the store is full: ${used} of ${users} MiB`, {
      hint: 'delete keys (jangada kv del --prefix), or raise the quota: jangada kv quota SIZE',
      details: this.room(),
    })
  }

  get quotaBytes(): number {
    const item = this.#store().get(limitKey)
    if (item === undefined) return defaultQuotaBytes
    if (this.#limit?.at !== item.modRevision) {
      const bytes = quotaLimit.read(item)?.value.bytes ?? defaultQuotaBytes
      this.#limit = { at: item.modRevision, bytes }
    }
    return this.#limit.bytes
  }

  room(): StoreRoom {
    const { quotaBytes } = this
    const reserveBytes = reserveOf(quotaBytes)
    return { usedBytes: usedBytes(this.#store()), quotaBytes, reserveBytes }
  }

  /** Milliseconds since a write was refused here; undefined when none was. */
  get refusedForMs(): number | undefined {
    if (this.#refusedAtMs === undefined) return undefined
    return this.#clock.monotonicMs() - this.#refusedAtMs
  }
}

/** For people: what is used, and what users may use. */
export function roomInMiB({ usedBytes: used, quotaBytes, reserveBytes }: StoreRoom): {
  readonly used: string
  readonly users: string
} {
  const text = (bytes: number): string => (bytes / 1_048_576).toFixed(1)
  return { used: text(used), users: text(quotaBytes - reserveBytes) }
}
