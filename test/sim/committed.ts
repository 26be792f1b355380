/**
 * What the cluster has committed, as told by whichever member applies it first; every other
 * member's copy is held against it. The simulation's only look behind the machines' doors.
 */
import { createHash } from 'node:crypto'
import { assert } from '../../src/base/assert.ts'
import { bytesEqual } from '../../src/base/bytes.ts'
import { revision } from '../../src/base/ids.ts'
import { crashes, machines, placements, units } from '../../src/core/records/keyspace.ts'
import type { RecordKind, Stored } from '../../src/core/records/record.ts'
import type {
  CrashRecord,
  MachineRecord,
  PlacementRecord,
  UnitRecord,
} from '../../src/core/records/schemas.ts'
import type { Store } from '../../src/core/store/store.ts'
import type { EventBatch, KeyValue, StoreEvent } from '../../src/core/store/types.ts'

/** Greater than every key. */
const afterAllKeys = '\uffff'

export interface CommittedRevision {
  readonly events: readonly StoreEvent[]
}

interface KeyVersion {
  readonly revision: number
  readonly item: KeyValue | undefined
}

export interface DivergedHistory {
  readonly revision: number
  readonly known: CommittedRevision
  readonly told: CommittedRevision
}

/** Records of one kind as of the newest revision, by key. */
class Records<T, Parts extends readonly string[]> {
  readonly kind: RecordKind<T, Parts>
  readonly items = new Map<string, Stored<T>>()

  constructor(kind: RecordKind<T, Parts>) {
    this.kind = kind
  }

  take(event: StoreEvent): boolean {
    const key = keyOf(event)
    if (!key.startsWith(this.kind.prefix)) return false
    const stored = event.kind === 'put' ? this.kind.read(event.item) : undefined
    if (stored === undefined) this.items.delete(key)
    else this.items.set(key, stored)
    return true
  }

  get values(): T[] {
    return [...this.items.values()].map(({ value }) => value)
  }
}

export const keyOf = (event: StoreEvent): string =>
  event.kind === 'put' ? event.item.key : event.key

export class Committed {
  readonly machines = new Records<MachineRecord, [string]>(machines)
  readonly units = new Records<UnitRecord, [string]>(units)
  readonly placements = new Records<PlacementRecord, [string, string]>(placements)
  readonly crashes = new Records<CrashRecord, [string]>(crashes)
  readonly #revisions = new Map<number, CommittedRevision>()
  readonly #items = new Map<string, KeyValue>()
  readonly #versions = new Map<string, KeyVersion[]>()
  /** The newest revision of each store that was compared. Stores die with their processes. */
  readonly #compared = new WeakMap<Store, number>()
  readonly #listeners: ((batch: EventBatch) => void)[] = []
  #newest = 0

  /** Called with each new revision, after `machines`, `units` and `placements` have taken it. */
  onRevision(listener: (batch: EventBatch) => void): void {
    this.#listeners.push(listener)
  }

  get newest(): number {
    return this.#newest
  }

  at(atRevision: number): CommittedRevision | undefined {
    return this.#revisions.get(atRevision)
  }

  /** Of what the newest revision changed: two histories of one seed are compared by it. */
  get digest(): string {
    const newest = this.at(this.#newest)
    return newest === undefined ? '' : hashOf(newest.events)
  }

  /** As of the newest revision. */
  get(key: string): KeyValue | undefined {
    return this.#items.get(key)
  }

  /** The key as of `atRevision`, which some member has applied; undefined when it was absent. */
  getAt(key: string, atRevision: number): KeyValue | undefined {
    return this.#versions.get(key)?.findLast((version) => version.revision <= atRevision)?.item
  }

  /** What the key was at `from`, and all it has been since. */
  versionsSince(key: string, from: number): (KeyValue | undefined)[] {
    const versions = this.#versions.get(key) ?? []
    const first = versions.findLastIndex((version) => version.revision <= from)
    return versions.slice(Math.max(0, first)).map(({ item }) => item)
  }

  /** Every key that was ever there. */
  get keys(): Iterable<string> {
    return this.#versions.keys()
  }

  get items(): ReadonlyMap<string, KeyValue> {
    return this.#items
  }

  /** Takes what `store` has applied since the last call; the first difference is returned. */
  compare(store: Store): DivergedHistory | undefined {
    let from = (this.#compared.get(store) ?? 0) + 1
    if (store.revision < from) return undefined
    while (from <= store.revision) {
      const answer = store.history(revision(from), '', afterAllKeys)
      if (answer.kind === 'compacted') {
        // Restored from a snapshot: what is below its floor was told by others.
        assert(answer.floor > from, 'a compacted history begins later')
        from = answer.floor
        continue
      }
      for (const batch of answer.batches) {
        const diverged = this.#take(batch)
        if (diverged !== undefined) return diverged
      }
      from = answer.next
    }
    this.#compared.set(store, store.revision)
    return undefined
  }

  #take(batch: EventBatch): DivergedHistory | undefined {
    const known = this.#revisions.get(batch.revision)
    if (known === undefined) {
      assert(batch.revision === this.#newest + 1, 'some member applies each revision first')
      this.#newest = batch.revision
      this.#revisions.set(batch.revision, { events: batch.events })
      for (const event of batch.events) this.#note(event, batch.revision)
      for (const listener of this.#listeners) listener(batch)
      return undefined
    }
    if (sameChanges(known.events, batch.events)) return undefined
    return { revision: batch.revision, known, told: { events: batch.events } }
  }

  #note(event: StoreEvent, at: number): void {
    const key = keyOf(event)
    const item = event.kind === 'put' ? event.item : undefined
    if (item === undefined) this.#items.delete(key)
    else this.#items.set(key, item)
    const versions = this.#versions.get(key)
    if (versions === undefined) this.#versions.set(key, [{ revision: at, item }])
    else versions.push({ revision: at, item })
    for (const records of [this.machines, this.units, this.placements, this.crashes]) {
      if (records.take(event)) return
    }
  }
}

function sameChanges(ours: readonly StoreEvent[], theirs: readonly StoreEvent[]): boolean {
  return ours.length === theirs.length && ours.every((one, at) => isSame(one, theirs[at]!))
}

function isSame(one: StoreEvent, other: StoreEvent): boolean {
  if (one.kind === 'delete' || other.kind === 'delete') {
    return one.kind === other.kind && keyOf(one) === keyOf(other)
  }
  const [a, b] = [one.item, other.item]
  return (
    a.key === b.key &&
    a.createRevision === b.createRevision &&
    a.modRevision === b.modRevision &&
    a.version === b.version &&
    a.lease === b.lease &&
    bytesEqual(a.value, b.value)
  )
}

function hashOf(events: readonly StoreEvent[]): string {
  const hash = createHash('sha1')
  for (const event of events) {
    hash.update(`${event.kind} ${keyOf(event)}\n`)
    if (event.kind === 'delete') continue
    const { createRevision, modRevision, version, lease, value } = event.item
    hash.update(`${createRevision} ${modRevision} ${version} ${lease ?? ''}\n`).update(value)
  }
  return hash.digest('base64')
}
