/**
 * A snapshot of the store is a sequence of records, each a 32-bit length and that many bytes:
 *
 *     header  lease*  (key older*)*  end
 *
 * Keys ascend; a `key` record carries the key's newest version and its `older` records follow it,
 * newest first. Pieces may be cut anywhere, also inside a record. Integrity on disk and on the
 * wire is the carrier's affair; order, bounds and invariants are checked here all the same.
 */
import { MalformedBytesError, type ByteReader } from '../../base/byte-reader.ts'
import type { ByteWriter } from '../../base/byte-writer.ts'
import { revision } from '../../base/ids.ts'
import { hold } from './held.ts'
import { maxKeyLength, maxLeaseIdLength, maxValueBytes } from './types.ts'
import type { Version } from './versions.ts'

export const snapshotFormat = 1

export const recordKinds = { header: 1, lease: 2, key: 3, older: 4, end: 5 } as const

/** UTF-8 takes at most three bytes for each UTF-16 unit. */
const maxKeyBytes = 3 * (maxKeyLength + 1)
export const maxLeaseIdBytes = 3 * maxLeaseIdLength
export const maxRecordBytes = maxValueBytes + maxKeyBytes + maxLeaseIdBytes + 64
export { maxKeyBytes }

const deleted = 0
const present = 1
const presentOnLease = 2

export function writeVersion(writer: ByteWriter, { revision: at, item }: Version): void {
  writer.varint(at)
  if (item === undefined) {
    writer.uint8(deleted)
    return
  }
  writer.uint8(item.lease === undefined ? present : presentOnLease)
  writer.varint(item.createRevision)
  writer.varint(item.version)
  if (item.lease !== undefined) writer.text(item.lease)
  if (typeof item.value === 'string') writer.latin1(item.value)
  else writer.bytes(item.value)
}

/** Throws `MalformedBytesError`. */
export function readVersion(reader: ByteReader, key: string): Version {
  const at = revision(reader.varint())
  const kind = reader.uint8()
  if (kind === deleted) return { revision: at, item: undefined, older: undefined }
  if (kind !== present && kind !== presentOnLease) {
    throw new MalformedBytesError(`a version of kind ${kind}`)
  }
  const createRevision = revision(reader.varint())
  const version = reader.varint()
  const lease = kind === presentOnLease ? reader.text(maxLeaseIdBytes) : undefined
  const value = hold(reader.bytes(maxValueBytes))
  if (createRevision < 1 || createRevision > at || version < 1) {
    throw new MalformedBytesError(`a version of ${key} that cannot be`)
  }
  const item = { key, value, createRevision, modRevision: at, version, lease }
  return { revision: at, item, older: undefined }
}
