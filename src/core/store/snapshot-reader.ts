/**
 * Reads the store as of one moment, piece by piece, while it goes on changing. Versions make
 * that free: later writes are newer than the revision read and are passed over. Leases have no
 * versions, so their list is copied at the start.
 */
import { ByteWriter } from '../../base/byte-writer.ts'
import type { Revision } from '../../base/ids.ts'
import type { Leases } from './leases.ts'
import { recordKinds, snapshotFormat, writeVersion } from './snapshot-format.ts'
import type { LeaseId, LogPosition } from './types.ts'
import { type Version, versionAt, type Versions } from './versions.ts'

/** About a fifth of a millisecond's work. */
const defaultChunkBytes = 64 * 1024

export class SnapshotReader implements IterableIterator<Uint8Array> {
  readonly position: LogPosition
  readonly revision: Revision
  readonly #versions: Versions
  readonly #pin: { readonly floor: Revision }
  readonly #leases: { id: LeaseId; ttlMs: number; revoking: boolean }[] = []
  readonly #chunkBytes: number
  readonly #chunk: ByteWriter
  readonly #record = new ByteWriter()
  #phase: 'header' | 'leases' | 'keys' | 'end' | 'done' = 'header'
  #leaseAt = 0
  #nextKey = ''
  /** The version to be written next, when a chunk ended within a key's list. */
  #older: Version | undefined
  #versionCount = 0

  constructor(
    versions: Versions,
    leases: Leases,
    position: LogPosition,
    chunkBytes = defaultChunkBytes,
  ) {
    this.position = position
    this.revision = versions.revision
    this.#versions = versions
    this.#pin = versions.pin()
    leases.scan('', ({ id, ttlMs, revoking }) => {
      this.#leases.push({ id, ttlMs, revoking })
      return true
    })
    this.#chunkBytes = chunkBytes
    this.#chunk = new ByteWriter(chunkBytes + 4096)
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<Uint8Array> {
    this.#chunk.clear()
    while (this.#phase !== 'done' && this.#chunk.length < this.#chunkBytes) this.#advance()
    if (this.#chunk.length > 0) return { done: false, value: this.#chunk.take() }
    return this.return()
  }

  /** Lets go of the past. Idempotent. */
  return(): IteratorReturnResult<undefined> {
    this.#phase = 'done'
    this.#older = undefined
    this.#versions.unpin(this.#pin)
    return { done: true, value: undefined }
  }

  #advance(): void {
    switch (this.#phase) {
      case 'header':
        this.#writeHeader()
        this.#phase = 'leases'
        break
      case 'leases':
        if (!this.#writeLease()) this.#phase = 'keys'
        break
      case 'keys':
        if (!this.#writeKeys()) this.#phase = 'end'
        break
      default:
        this.#begin(recordKinds.end)
        this.#record.varint(this.#leases.length)
        this.#record.varint(this.#versionCount)
        this.#finish()
        this.return()
    }
  }

  #writeHeader(): void {
    this.#begin(recordKinds.header)
    this.#record.uint8(snapshotFormat)
    this.#record.varint(this.revision)
    this.#record.varint(this.#pin.floor)
    this.#record.varint(this.position.index)
    this.#record.varint(this.position.term)
    this.#finish()
  }

  #writeLease(): boolean {
    const lease = this.#leases[this.#leaseAt]
    if (lease === undefined) return false
    this.#leaseAt += 1
    this.#begin(recordKinds.lease)
    this.#record.text(lease.id)
    this.#record.varint(lease.ttlMs)
    this.#record.uint8(lease.revoking ? 1 : 0)
    this.#finish()
    return true
  }

  /** Fills the chunk. False when no key is left. */
  #writeKeys(): boolean {
    if (!this.#writeOlder()) return true
    let isFull = false
    this.#versions.scanHeads(this.#nextKey, (key, head) => {
      // The smallest string above `key`: the map may have changed by the time of the next chunk.
      this.#nextKey = `${key}\0`
      const version = versionAt(head, this.revision)
      if (version !== undefined && this.#isKept(version)) {
        this.#begin(recordKinds.key)
        this.#record.text(key)
        this.#writeVersion(version)
        isFull = !this.#writeOlder()
      }
      isFull ||= this.#chunk.length >= this.#chunkBytes
      return !isFull
    })
    return isFull
  }

  /** False when the chunk is full before the key's versions are all written. */
  #writeOlder(): boolean {
    for (let version = this.#older; version !== undefined; version = this.#older) {
      if (this.#chunk.length >= this.#chunkBytes) return false
      if (!this.#isKept(version)) break
      this.#begin(recordKinds.older)
      this.#writeVersion(version)
    }
    this.#older = undefined
    return true
  }

  #writeVersion(version: Version): void {
    writeVersion(this.#record, version)
    this.#finish()
    this.#versionCount += 1
    this.#older = version.revision >= this.#pin.floor ? version.older : undefined
  }

  /** A deletion below the floor says no more than the key's absence. */
  #isKept(version: Version): boolean {
    return version.revision >= this.#pin.floor || version.item !== undefined
  }

  #begin(kind: number): void {
    this.#record.clear()
    this.#record.uint8(kind)
  }

  #finish(): void {
    this.#chunk.uint32(this.#record.length)
    this.#chunk.raw(this.#record.view())
  }
}
