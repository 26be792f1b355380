/**
 * The keys that the records list, as a synchronous answer for handshakes. Kept from the store's
 * own watch; when a key is removed its open streams are to be closed, hence `onRemoved`.
 *
 * A node that is behind must still let in those from whom it can catch up, and one of them may
 * have joined, or become the leader, since it last heard. So while this node is not in touch
 * with a quorum, the CA's signature (which the handshake has checked) is enough for a key it
 * does not know; a key that it knows to be removed stays out even then.
 */
import { admissions } from '../../core/records/keyspace.ts'
import { isListedKey } from '../../core/trust/admission.ts'
import type { Revision } from '../../base/ids.ts'
import { revision } from '../../base/ids.ts'
import type { KeyValue } from '../../core/store/types.ts'
import type { PeerIdentity } from '../../ports/streams.ts'
import type { StoreAccess } from '../member/store-access.ts'

/** Removed keys remembered; the oldest is forgotten first, and the list alone decides then. */
export const removedKeysMax = 10_000

export class ListedKeys {
  readonly #isUpToDate: () => boolean
  /** By machine. */
  readonly #keyHashOf = new Map<string, string>()
  /** Invariant: holds no key that is listed, and at most `removedKeysMax`. */
  readonly #removed = new Set<string>()

  /** `isUpToDate`: this node's copy of the records is at most moments behind the cluster's. */
  constructor(isUpToDate: () => boolean) {
    this.#isUpToDate = isUpToDate
  }

  isListed({ machineId, keyHash }: PeerIdentity): boolean {
    if (this.#keyHashOf.get(machineId) === keyHash) return true
    return !this.#removed.has(keyHash) && !this.#isUpToDate()
  }

  /** Reads the list from this node's own copy; the revision is where a watch goes on. */
  async load(store: StoreAccess): Promise<Revision> {
    const { items, revision: at } = await store.range(admissions.range, 'local')
    const gone = new Set(this.#keyHashOf.keys())
    for (const item of items) {
      this.#note(item)
      gone.delete(admissions.partsOf(item.key)[0] ?? '')
    }
    for (const machineId of gone) this.#unlist(machineId)
    return at
  }

  /** Follows the records until `signal` aborts. Rejects as `StoreAccess.watch` does. */
  async follow(store: StoreAccess, signal: AbortSignal, onRemoved: () => void): Promise<void> {
    const at = await this.load(store)
    onRemoved()
    const request = { ...admissions.range, fromRevision: revision(at + 1) }
    for await (const { events } of store.watch(request, signal)) {
      let removed = false
      for (const event of events) {
        const gone =
          event.kind === 'put'
            ? this.#note(event.item)
            : this.#unlist(admissions.partsOf(event.key)[0] ?? '')
        removed = gone || removed
      }
      if (removed) onRemoved()
    }
  }

  /** True when a key that was listed no longer is. */
  #note(item: KeyValue): boolean {
    const admission = admissions.read(item)?.value
    if (admission === undefined) return false
    const { machineId, keyHash } = admission
    const before = this.#keyHashOf.get(machineId)
    if (!isListedKey(admission, keyHash)) return this.#unlist(machineId)
    const replaced = before !== undefined && before !== keyHash && this.#unlist(machineId)
    this.#keyHashOf.set(machineId, keyHash)
    this.#removed.delete(keyHash)
    return replaced
  }

  #unlist(machineId: string): boolean {
    const keyHash = this.#keyHashOf.get(machineId)
    if (keyHash === undefined) return false
    this.#keyHashOf.delete(machineId)
    this.#removed.add(keyHash)
    const [oldest] = this.#removed
    if (this.#removed.size > removedKeysMax && oldest !== undefined) this.#removed.delete(oldest)
    return true
  }
}
