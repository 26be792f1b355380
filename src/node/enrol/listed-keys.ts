/**
 * The keys that the records list, as a synchronous answer for handshakes. Kept from the store's
 * own watch; when a key is removed its open streams are to be closed, hence `onRemoved`.
 *
 * A node that is behind must still let in those from whom it can catch up, and one of them may
 * have joined, or become the leader, since it last heard. So before the first list, and while
 * the records here are old, the CA's signature (which the handshake has checked) is enough for a
 * key that is not known; one that is known to be removed stays out even then.
 */
import { admissions } from '../../core/records/keyspace.ts'
import type { KeyValue, StoreEvent } from '../../core/store/types.ts'
import { isListedKey } from '../../core/trust/admission.ts'
import type { PeerIdentity } from '../../ports/streams.ts'
import type { Follower } from '../member/follow.ts'

/** Removed keys remembered; the oldest is forgotten first, and the list alone decides then. */
export const removedKeysMax = 10_000

export class ListedKeys implements Follower {
  /** What `node/member`'s `follow` is to follow. */
  readonly range = admissions.range
  readonly #isUpToDate: () => boolean
  readonly #onRemoved: () => void
  /** By machine. */
  readonly #keyHashOf = new Map<string, string>()
  /** Invariant: holds no key that is listed, and at most `removedKeysMax`. */
  readonly #removed = new Set<string>()
  #isTold = false
  /** What is older than this is known: a list and a watch may come from two members. */
  #at = 0

  /**
   * `isUpToDate`: this node's copy of the records is at most moments behind the cluster's.
   * `onRemoved`: a key has gone, and its open streams should.
   */
  constructor(isUpToDate: () => boolean, onRemoved: () => void) {
    this.#isUpToDate = isUpToDate
    this.#onRemoved = onRemoved
  }

  isListed({ machineId, keyHash }: Pick<PeerIdentity, 'machineId' | 'keyHash'>): boolean {
    if (this.#keyHashOf.get(machineId) === keyHash) return true
    if (this.#removed.has(keyHash)) return false
    return !this.#isTold || !this.#isUpToDate()
  }

  reset(items: readonly KeyValue[], at: number): void {
    if (at < this.#at) return
    this.#at = at
    const isFirst = !this.#isTold
    this.#isTold = true
    const gone = new Set(this.#keyHashOf.keys())
    let removed = false
    for (const item of items) {
      removed = this.#note(item) || removed
      gone.delete(machineIdOf(item.key))
    }
    for (const machineId of gone) removed = this.#unlist(machineId) || removed
    // Whoever came before the first list was not looked for in it.
    if (removed || isFirst) this.#onRemoved()
  }

  change(events: readonly StoreEvent[], at: number): void {
    if (at <= this.#at) return
    this.#at = at
    let removed = false
    for (const event of events) {
      const gone =
        event.kind === 'put' ? this.#note(event.item) : this.#unlist(machineIdOf(event.key))
      removed = gone || removed
    }
    if (removed) this.#onRemoved()
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

const machineIdOf = (key: string): string => admissions.partsOf(key)[0] ?? ''
