/**
 * Every version of every key, as far back as the floor.
 *
 * Each key has its versions as a list, newest first. Beside them, each revision lists what it
 * changed: watches read it forwards, and compaction walks it to find what may go. Forgetting is
 * in two steps, so that no single apply is slow: the floor rises at once and is all that readers
 * see; `sweep` drops the versions below it later, a few at a time.
 *
 * What is kept is a function of the log alone, so every member answers alike: for each key the
 * versions at or above the floor, and the newest below it unless that is a deletion.
 */
import { assert } from '../../base/assert.ts'
import { type Revision, revision as toRevision } from '../../base/ids.ts'
import { OrderedMap } from './ordered-map.ts'
import { type HeldItem, hold, toKeyValue } from './held.ts'
import type { EventBatch, HistoryAnswer, LeaseId, StoreEvent } from './types.ts'

export interface Version {
  readonly revision: Revision
  /** Undefined when this revision deleted the key. */
  readonly item: HeldItem | undefined
  /** Invariant: `older.revision` < `revision`. Cut once nobody can ask for it. */
  older: Version | undefined
}

/** What a scan may still look at. Its last key may take it below 0: a history has its own bound. */
export interface Looks {
  left: number
}

interface Change {
  readonly key: string
  readonly version: Version
}

export interface RevisionChanges {
  /** Ordered by key, each key once; never empty. */
  readonly changes: Change[]
  /** Bytes of this and all earlier revisions since some fixed one: differences are what counts. */
  bytesUpTo: number
}

/** Equal on every member of a cluster: what a read below the floor answers depends on them. */
export interface HistoryLimits {
  readonly maxRevisions: number
  readonly maxBytes: number
}

export const defaultHistoryLimits: HistoryLimits = {
  maxRevisions: 50_000,
  maxBytes: 32 * 1_048_576,
}

/** What a remembered change costs beside its key and value, roughly. */
const changeOverheadBytes = 128
/** Sweeping goes faster than writing, so that it catches up. */
const sweptPerChange = 2
const sweptPerCommit = 64
/** A few milliseconds' work. */
const sweptPerScan = 10_000
/** A watch's catch-up looks at no more than about this many changes at a time. */
const maxChangesRead = 1024
/** And it is given about this many bytes. */
const maxBytesRead = 1_048_576

export class Versions {
  readonly #limits: HistoryLimits
  readonly #heads: OrderedMap<Version>
  #revision: Revision
  /** Readable from here on. Invariant: 0 <= #sweptTo <= #floor <= #revision, or all are 0. */
  #floor: Revision
  /** `#history[#historyHead]` belongs to this revision. */
  #sweptTo: Revision
  #history: RevisionChanges[]
  #historyHead = 0
  /** Changes of the first revision in the history that are already swept. */
  #sweptInFirst = 0
  #liveKeys = 0
  #liveBytes = 0
  /** What the transaction under way has written. */
  #pending: Change[] = []
  /** Floors that snapshots being read stand on; sweeping stays below them. */
  readonly #pins: Set<{ readonly floor: Revision }> = new Set()

  constructor(limits: HistoryLimits, restored?: RestoredVersions) {
    this.#limits = limits
    this.#heads = restored?.heads ?? new OrderedMap()
    this.#revision = restored?.revision ?? toRevision(0)
    this.#floor = restored?.floor ?? toRevision(0)
    this.#history = restored?.history ?? []
    this.#sweptTo = toRevision(Math.max(this.#floor, 1))
    this.#liveKeys = restored?.liveKeys ?? 0
    this.#liveBytes = restored?.liveBytes ?? 0
    assert(
      this.#history.length === Math.max(0, this.#revision - this.#sweptTo + 1),
      'the history has one element for each revision from the floor on',
    )
  }

  get revision(): Revision {
    return this.#revision
  }

  get floor(): Revision {
    return this.#floor
  }

  get liveKeys(): number {
    return this.#liveKeys
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  /** The revision a write under way will have; the present one when there is none. */
  get pendingRevision(): Revision {
    return this.#pending.length === 0 ? this.#revision : toRevision(this.#revision + 1)
  }

  get historyBytes(): number {
    const first = this.#changesOf(toRevision(Math.max(this.#floor, 1)))
    const last = this.#history.at(-1)
    if (first === undefined || last === undefined) return 0
    return last.bytesUpTo - first.bytesUpTo + bytesOfChanges(first.changes)
  }

  /** As it is now, or as the transaction under way has left it. */
  get(key: string): HeldItem | undefined {
    return this.#heads.get(key)?.item
  }

  put(key: string, value: Uint8Array, lease: LeaseId | undefined): void {
    const previous = this.#heads.get(key)
    const revision = toRevision(this.#revision + 1)
    const item: HeldItem = {
      key,
      value: hold(value),
      createRevision: previous?.item?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.item?.version ?? 0) + 1,
      lease,
    }
    this.#write(key, { revision, item, older: previous })
  }

  /** The key must be there. */
  delete(key: string): void {
    const previous = this.#heads.get(key)
    assert(previous?.item !== undefined, 'only a key that is there is deleted')
    const revision = toRevision(this.#revision + 1)
    this.#write(key, { revision, item: undefined, older: previous })
  }

  /** Ends what `put` and `delete` began. Undefined when nothing was written. */
  commit(): EventBatch | undefined {
    if (this.#pending.length === 0) return undefined
    const changes = this.#pending.toSorted(byKey)
    this.#pending = []
    this.#revision = toRevision(this.#revision + 1)
    const before = this.#history.at(-1)?.bytesUpTo ?? 0
    this.#history.push({ changes, bytesUpTo: before + bytesOfChanges(changes) })
    while (this.#isTooLong()) this.#floor = toRevision(Math.max(this.#floor, 1) + 1)
    const events = changes.map((change) => toEvent(change))
    this.sweep(sweptPerCommit + sweptPerChange * changes.length)
    return { revision: this.#revision, events }
  }

  #write(key: string, version: Version): void {
    const { older } = version
    assert(older === undefined || older.revision < version.revision, 'a key is written once')
    this.#heads.set(key, version)
    this.#pending.push({ key, version })
    if (older?.item !== undefined) this.#countLive(-1, older.item)
    if (version.item !== undefined) this.#countLive(1, version.item)
  }

  #countLive(sign: 1 | -1, item: HeldItem): void {
    this.#liveKeys += sign
    this.#liveBytes += sign * (item.key.length + item.value.length)
  }

  /**
   * Visits the live keys of [key, end) as of `revision`, until `visit` returns false. Answers the
   * key to go on from where `looks` came to an end before that: no key is begun without one left.
   * What is forgotten costs none, so that the answer does not tell how far a sweep has come.
   */
  scan(
    key: string,
    end: string | undefined,
    revision: Revision,
    visit: (item: HeldItem) => boolean,
    looks: Looks = { left: Infinity },
  ): string | undefined {
    if (looks.left <= 0) return key
    if (end === undefined) {
      const item = itemAt(this.#heads.get(key), revision, looks)
      if (item !== undefined) visit(item)
      return undefined
    }
    let cutAt: string | undefined
    const forgotten: string[] = []
    this.#heads.scan(key, end, (at, head) => {
      if (head.item === undefined && head.revision < this.#floor) {
        if (forgotten.length < sweptPerScan) forgotten.push(at)
        return true
      }
      if (looks.left <= 0) {
        cutAt = at
        return false
      }
      const item = itemAt(head, revision, looks)
      return item === undefined || visit(item)
    })
    this.#dropHeads(forgotten)
    return cutAt
  }

  /** Deletions that a scan came past, and the sweep has not come to: the next scan does not. */
  #dropHeads(keys: readonly string[]): void {
    const limit = this.#sweepLimit()
    for (const key of keys) {
      const head = this.#heads.get(key)
      if (head !== undefined && head.revision < limit) this.#heads.delete(key)
    }
  }

  /** Visits each key and its newest version from `from` on, deleted keys too. */
  scanHeads(from: string, visit: (key: string, head: Version) => boolean): void {
    this.#heads.scan(from, undefined, visit)
  }

  /** See `Store.history`. */
  read(from: Revision, key: string, end: string | undefined): HistoryAnswer {
    if (from < this.#floor) return { kind: 'compacted', floor: this.#floor }
    const batches: EventBatch[] = []
    let at = Math.max(from, 1)
    let bytes = 0
    for (let left = maxChangesRead; left > 0 && at <= this.#revision; at += 1) {
      const { changes } = this.#changesOf(toRevision(at)) as RevisionChanges
      const told = changes.filter((change) => isInRange(change.key, key, end))
      if (bytes >= maxBytesRead) break
      left -= changes.length
      bytes += bytesOfChanges(told)
      if (told.length > 0) batches.push({ revision: toRevision(at), events: told.map(toEvent) })
    }
    return { kind: 'history', batches, next: toRevision(at) }
  }

  /** Forgets what is below `revision`, which is at most the present one. */
  compact(revision: Revision): void {
    assert(revision <= this.#revision, 'only the past is forgotten')
    if (revision > this.#floor) this.#floor = revision
  }

  /** Goes on after `revision`, which is ahead: all history is forgotten, for it would have a gap. */
  skipTo(revision: Revision): void {
    assert(this.#pending.length === 0 && this.#pins.size === 0, 'nobody reads or writes')
    assert(revision > this.#revision, 'revisions never go back')
    this.#floor = this.#revision
    while (this.sweep(sweptPerScan));
    const last = this.#revision === 0 ? undefined : this.#changesOf(this.#revision)
    for (const change of last?.changes.slice(this.#sweptInFirst) ?? []) this.#sweepChange(change)
    this.#revision = revision
    this.#floor = revision
    this.#sweptTo = revision
    this.#history = [{ changes: [], bytesUpTo: 0 }]
    this.#historyHead = 0
    this.#sweptInFirst = 0
  }

  /** Until `unpin`, versions that a reader standing at the present floor needs are kept. */
  pin(): { readonly floor: Revision } {
    const pin = { floor: this.#floor }
    this.#pins.add(pin)
    return pin
  }

  unpin(pin: { readonly floor: Revision }): void {
    this.#pins.delete(pin)
  }

  /** Drops about `budget` changes that nobody can ask for. False when there are no more. */
  sweep(budget: number): boolean {
    const limit = this.#sweepLimit()
    for (let left = budget; this.#sweptTo < limit;) {
      if (left <= 0) return true
      const { changes } = this.#history[this.#historyHead] as RevisionChanges
      const end = Math.min(changes.length, this.#sweptInFirst + left)
      for (let at = this.#sweptInFirst; at < end; at += 1) this.#sweepChange(changes[at]!)
      left -= end - this.#sweptInFirst
      this.#sweptInFirst = end
      if (end === changes.length) this.#dropFirst()
    }
    return false
  }

  /** Nobody reads below it. */
  #sweepLimit(): number {
    let limit: number = this.#floor
    for (const pin of this.#pins) limit = Math.min(limit, pin.floor)
    return limit
  }

  #sweepChange({ key, version }: Change): void {
    version.older = undefined
    if (version.item === undefined && this.#heads.get(key) === version) this.#heads.delete(key)
  }

  #dropFirst(): void {
    this.#sweptInFirst = 0
    this.#sweptTo = toRevision(this.#sweptTo + 1)
    // The slot is emptied at once and the array cut now and then, so that neither costs much.
    this.#history[this.#historyHead] = { changes: [], bytesUpTo: 0 }
    this.#historyHead += 1
    if (this.#historyHead > 1024 && this.#historyHead * 2 > this.#history.length) {
      this.#history = this.#history.slice(this.#historyHead)
      this.#historyHead = 0
    }
  }

  #isTooLong(): boolean {
    const first = Math.max(this.#floor, 1)
    if (first >= this.#revision) return false
    return (
      this.#revision - first + 1 > this.#limits.maxRevisions ||
      this.historyBytes > this.#limits.maxBytes
    )
  }

  #changesOf(revision: Revision): RevisionChanges | undefined {
    if (revision < this.#sweptTo) return undefined
    return this.#history[this.#historyHead + revision - this.#sweptTo]
  }
}

/** What a snapshot gives back; see `SnapshotRestore`. */
export interface RestoredVersions {
  readonly revision: Revision
  readonly floor: Revision
  readonly heads: OrderedMap<Version>
  /** One element for each revision from max(floor, 1) to `revision`. */
  readonly history: RevisionChanges[]
  readonly liveKeys: number
  readonly liveBytes: number
}

/** A key costs one look, or one for each version that is newer than `revision`: none is forgotten. */
function itemAt(head: Version | undefined, revision: Revision, looks: Looks): HeldItem | undefined {
  let version = head
  let newer = 0
  for (; version !== undefined && version.revision > revision; version = version.older) newer += 1
  looks.left -= Math.max(1, newer)
  return version?.item
}

/** The newest version no newer than `revision`. */
export function versionAt(head: Version | undefined, revision: Revision): Version | undefined {
  let version = head
  while (version !== undefined && version.revision > revision) version = version.older
  return version
}

export function isInRange(candidate: string, key: string, end: string | undefined): boolean {
  return end === undefined ? candidate === key : candidate >= key && candidate < end
}

export function bytesOfChanges(changes: readonly Change[]): number {
  let bytes = 0
  for (const { key, version } of changes) {
    bytes += changeOverheadBytes + key.length + (version.item?.value.length ?? 0)
  }
  return bytes
}

const toEvent = ({ key, version }: Change): StoreEvent =>
  version.item === undefined
    ? { kind: 'delete', key, revision: version.revision }
    : { kind: 'put', item: toKeyValue(version.item) }

const byKey = (a: Change, b: Change): number => (a.key < b.key ? -1 : 1)
