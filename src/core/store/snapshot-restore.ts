/**
 * Puts a store together from a snapshot's pieces, however they are cut, a piece at a time.
 * `push` each, then `finish`. Bytes that are not a snapshot give a fault and no store.
 */
import { assert } from '../../base/assert.ts'
import { ByteReader, MalformedBytesError, readUint32 } from '../../base/byte-reader.ts'
import { concat } from '../../base/bytes.ts'
import {
  index as toIndex,
  type Revision,
  revision as toRevision,
  term as toTerm,
} from '../../base/ids.ts'
import { Leases } from './leases.ts'
import { OrderedMap } from './ordered-map.ts'
import * as format from './snapshot-format.ts'
import { Store } from './store.ts'
import type { LogPosition } from './types.ts'
import {
  bytesOfChanges,
  defaultHistoryLimits,
  type HistoryLimits,
  type RevisionChanges,
  type Version,
  Versions,
} from './versions.ts'

export interface SnapshotFault {
  readonly kind: 'fault'
  /** `version`: made by a newer Jangada. `damaged`: not what any Jangada wrote. */
  readonly cause: 'version' | 'damaged'
  readonly reason: string
}

class NewerFormatError extends Error {}

interface Header {
  readonly revision: Revision
  readonly floor: Revision
  readonly position: LogPosition
}

export class SnapshotRestore {
  readonly #limits: HistoryLimits
  #rest: Uint8Array = new Uint8Array(0)
  #header: Header | undefined
  #fault: SnapshotFault | undefined
  #ended = false
  readonly #heads = new OrderedMap<Version>()
  readonly #leases = new Leases()
  #history: RevisionChanges[] = []
  #key: string | undefined
  /** The last version read of `#key`. */
  #oldest: Version | undefined
  #versionCount = 0
  #liveKeys = 0
  #liveBytes = 0

  constructor(limits: HistoryLimits = defaultHistoryLimits) {
    this.#limits = limits
  }

  /** A fault stays: nothing after it is read. */
  push(piece: Uint8Array): SnapshotFault | undefined {
    if (this.#fault !== undefined) return this.#fault
    const bytes = this.#rest.length === 0 ? piece : concat([this.#rest, piece])
    let at = 0
    try {
      while (bytes.length - at >= 4) {
        const length = readUint32(bytes, at)
        if (length > format.maxRecordBytes) throw new MalformedBytesError('a record too long')
        if (bytes.length - at - 4 < length) break
        this.#record(new ByteReader(bytes.subarray(at + 4, at + 4 + length)))
        at += 4 + length
      }
    } catch (error) {
      return this.#fail(error)
    }
    // A copy: the rest must not keep the caller's buffer, nor see it change.
    this.#rest = bytes.slice(at)
    return undefined
  }

  finish(): { readonly kind: 'restored'; readonly store: Store } | SnapshotFault {
    if (this.#fault !== undefined) return this.#fault
    try {
      if (!this.#ended || this.#rest.length > 0) throw new MalformedBytesError('it ends too early')
      return { kind: 'restored', store: this.#store() }
    } catch (error) {
      return this.#fail(error)
    }
  }

  #fail(error: unknown): SnapshotFault {
    const isNewer = error instanceof NewerFormatError
    if (!isNewer && !(error instanceof MalformedBytesError)) throw error
    const cause = isNewer ? 'version' : 'damaged'
    this.#fault = { kind: 'fault', cause, reason: error.message }
    return this.#fault
  }

  #record(reader: ByteReader): void {
    const kind = reader.uint8()
    require(!this.#ended, 'something follows the end')
    require((kind === format.recordKinds.header) === (this.#header === undefined), 'no header')
    switch (kind) {
      case format.recordKinds.header:
        this.#readHeader(reader)
        break
      case format.recordKinds.lease:
        this.#readLease(reader)
        break
      case format.recordKinds.key:
        this.#readKey(reader)
        break
      case format.recordKinds.older:
        this.#readOlder(reader)
        break
      case format.recordKinds.end:
        require(reader.varint() === this.#leases.size, 'leases are missing')
        require(reader.varint() === this.#versionCount, 'versions are missing')
        this.#ended = true
        break
      default:
        require(false, `a record of kind ${kind}`)
    }
    reader.end()
  }

  #readHeader(reader: ByteReader): void {
    const version = reader.uint8()
    if (version !== format.snapshotFormat) {
      throw new NewerFormatError(
        `snapshot format ${version}, where ${format.snapshotFormat} is known`,
      )
    }
    const revision = toRevision(reader.varint())
    const floor = toRevision(reader.varint())
    const position = { index: toIndex(reader.varint()), term: toTerm(reader.varint()) }
    require(floor <= revision, 'the floor is above the revision')
    const remembered = Math.max(0, revision - Math.max(floor, 1) + 1)
    require(remembered <= this.#limits.maxRevisions, 'the history is too long')
    this.#history = Array.from({ length: remembered }, () => ({ changes: [], bytesUpTo: 0 }))
    this.#header = { revision, floor, position }
  }

  #readLease(reader: ByteReader): void {
    require(this.#key === undefined, 'a lease after a key')
    const id = reader.text(format.maxLeaseIdBytes)
    const ttlMs = reader.varint()
    const revoking = reader.uint8()
    require(revoking <= 1 && this.#leases.get(id) === undefined, 'a lease that cannot be')
    this.#leases.add(id, ttlMs, revoking === 1)
  }

  #readKey(reader: ByteReader): void {
    const key = reader.text(format.maxKeyBytes)
    require(this.#key === undefined || key > this.#key, 'keys out of order')
    this.#key = key
    this.#oldest = undefined
    const version = this.#readVersion(reader, key)
    this.#heads.set(key, version)
    const { item } = version
    if (item === undefined) return
    this.#liveKeys += 1
    this.#liveBytes += key.length + item.value.length
    if (item.lease === undefined) return
    require(this.#leases.get(item.lease) !== undefined, 'a key on no lease')
    this.#leases.move(key, undefined, item.lease)
  }

  #readOlder(reader: ByteReader): void {
    const newer = this.#oldest
    require(this.#key !== undefined && newer !== undefined, 'an older version of nothing')
    newer.older = this.#readVersion(reader, this.#key)
  }

  #readVersion(reader: ByteReader, key: string): Version {
    const { revision, floor } = this.#header as Header
    const version = format.readVersion(reader, key)
    require(version.revision >= 1 && version.revision <= revision, 'a version of the future')
    const newer = this.#oldest
    if (newer !== undefined) {
      require(version.revision < newer.revision && newer.revision >= floor, 'versions out of order')
    }
    if (version.revision >= floor) {
      const changes = this.#history[version.revision - Math.max(floor, 1)]?.changes
      require(changes !== undefined, 'a version outside the history')
      changes.push({ key, version })
    } else require(version.item !== undefined, 'a deletion below the floor')
    this.#oldest = version
    this.#versionCount += 1
    return version
  }

  #store(): Store {
    const header = this.#header
    assert(header !== undefined, 'what has ended has begun')
    let bytesUpTo = 0
    for (const one of this.#history) {
      require(one.changes.length > 0, 'a revision that changed nothing')
      bytesUpTo += bytesOfChanges(one.changes)
      one.bytesUpTo = bytesUpTo
    }
    const versions = new Versions(this.#limits, {
      ...header,
      heads: this.#heads,
      history: this.#history,
      liveKeys: this.#liveKeys,
      liveBytes: this.#liveBytes,
    })
    return new Store(this.#limits, { versions, leases: this.#leases, applied: header.position })
  }
}

function require(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new MalformedBytesError(otherwise)
}
