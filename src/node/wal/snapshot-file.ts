/**
 * A snapshot as a file: a header that names it, pieces, an end.
 *
 *     magic (8)  format (4)  length (4)  CRC (4)  header
 *     then for each piece:  length (4)  CRC (4)  bytes
 *     then:                 0 (4)  CRC (4)
 *
 * Each piece's CRC goes on from the one before it and the end repeats the last one, so that a
 * piece that is missing or out of place is found too.
 */
import { assert } from '../../base/assert.ts'
import {
  type ByteReader,
  MalformedBytesError,
  readUint32,
  readWhole,
} from '../../base/byte-reader.ts'
import { ByteWriter } from '../../base/byte-writer.ts'
import { bytesEqual, utf8 } from '../../base/bytes.ts'
import { crc32 } from '../../base/crc32.ts'
import {
  type ClusterId,
  clusterId as toClusterId,
  index as toIndex,
  term as toTerm,
} from '../../base/ids.ts'
import type { SnapshotRef } from '../../core/raft/types.ts'
import type { DiskFile } from '../../ports/disk.ts'
import { readConfState, writeConfState } from './entry-codec.ts'
import { damaged, foreign, unknownVersion } from './errors.ts'
import type { WalIdentity } from './identity.ts'

export const snapshotFileFormat = 1
/** Longer pieces are cut, so that reading one takes little memory and time. */
export const maxPieceBytes = 256 * 1024
/** Syncing now and then keeps the last sync, and the log's own meanwhile, short. */
const syncEveryBytes = 8 * 1024 * 1024

const magic = utf8('JGDSNAP\n')
const prefixBytes = 20
const pieceHeaderBytes = 8
const maxHeaderBytes = 16 * 1024

/** The bytes of such a file, in order: `begin`, `pieces` as often as there are some, `end`. */
export class SnapshotFraming {
  #crc = 0

  begin(clusterId: ClusterId, snapshot: SnapshotRef): Uint8Array {
    const header = new ByteWriter()
    header.text(clusterId)
    header.varint(snapshot.index)
    header.varint(snapshot.term)
    writeConfState(header, snapshot.config)
    const writer = new ByteWriter()
    writer.raw(magic)
    writer.uint32(snapshotFileFormat)
    writer.uint32(header.length)
    writer.uint32(crc32(header.view()))
    writer.raw(header.view())
    return writer.take()
  }

  /** Each piece after its header, uncopied: a large state would be as much garbage again. */
  *pieces(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += maxPieceBytes) {
      const piece = bytes.subarray(at, at + maxPieceBytes)
      this.#crc = crc32(piece, this.#crc)
      const header = new ByteWriter(pieceHeaderBytes)
      header.uint32(piece.length)
      header.uint32(this.#crc)
      yield header.take()
      yield piece
    }
  }

  end(): Uint8Array {
    const writer = new ByteWriter()
    writer.uint32(0)
    writer.uint32(this.#crc)
    return writer.take()
  }
}

export class SnapshotFileWriter {
  readonly #file: DiskFile
  readonly #framing = new SnapshotFraming()
  /** One write's bytes; free again once it is over. */
  readonly #joined = new ByteWriter()
  #offset = 0
  #syncedTo = 0
  #bytes = 0

  constructor(file: DiskFile) {
    this.#file = file
  }

  /** Bytes of pieces so far. */
  get bytes(): number {
    return this.#bytes
  }

  async begin(identity: WalIdentity, snapshot: SnapshotRef): Promise<void> {
    assert(this.#offset === 0, 'a snapshot begins once')
    await this.#append(this.#framing.begin(identity.clusterId, snapshot))
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length
    this.#joined.clear()
    for (const part of this.#framing.pieces(bytes)) this.#joined.raw(part)
    await this.#append(this.#joined.view())
  }

  /** Durable when it resolves, but for its name. */
  async end(): Promise<void> {
    await this.#append(this.#framing.end())
    await this.#file.sync()
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#file.write(this.#offset, bytes)
    this.#offset += bytes.length
    if (this.#offset - this.#syncedTo < syncEveryBytes) return
    await this.#file.sync()
    this.#syncedTo = this.#offset
  }
}

export interface SnapshotHeader {
  readonly clusterId: ClusterId
  readonly snapshot: SnapshotRef
  /** Where its pieces begin. */
  readonly end: number
}

/** Rejects with JGD_WAL_DAMAGED, JGD_WAL_VERSION or, when it is not of `cluster`, JGD_WAL_FOREIGN. */
export async function readSnapshotHeader(
  file: DiskFile,
  cluster?: ClusterId,
): Promise<SnapshotHeader> {
  const prefix = await file.read(0, prefixBytes)
  if (prefix.length < prefixBytes || !bytesEqual(prefix.subarray(0, 8), magic)) {
    throw damaged(file.path, 0, 'it is not a snapshot')
  }
  const format = readUint32(prefix, 8)
  if (format !== snapshotFileFormat) throw unknownVersion(file.path, format, snapshotFileFormat)
  const length = readUint32(prefix, 12)
  const header = length > maxHeaderBytes ? new Uint8Array(0) : await file.read(prefixBytes, length)
  if (header.length !== length || crc32(header) !== readUint32(prefix, 16)) {
    throw damaged(file.path, prefixBytes, 'its header is unreadable')
  }
  const result = readWhole(header, (reader) => ({
    clusterId: readClusterId(reader),
    index: toIndex(reader.varint()),
    term: toTerm(reader.varint()),
    config: readConfState(reader),
  }))
  if (result.kind === 'malformed') throw damaged(file.path, prefixBytes, result.reason)
  const { clusterId, ...snapshot } = result.value
  if (cluster !== undefined && clusterId !== cluster) {
    throw foreign(file.path, 'it names another cluster')
  }
  return { clusterId, snapshot, end: prefixBytes + length }
}

function readClusterId(reader: ByteReader): ClusterId {
  const text = reader.text(64)
  if (!/^[0-9a-f]{32}$/.test(text)) throw new MalformedBytesError('no cluster is named')
  return toClusterId(text)
}

/** The pieces from `offset` on, each checked before it is given. Throws JGD_WAL_DAMAGED. */
export async function* readPieces(file: DiskFile, offset: number): AsyncGenerator<Uint8Array> {
  let at = offset
  let crc = 0
  for (;;) {
    const header = await file.read(at, pieceHeaderBytes)
    if (header.length < pieceHeaderBytes) throw damaged(file.path, at, 'it ends too early')
    const length = readUint32(header, 0)
    if (length > maxPieceBytes) throw damaged(file.path, at, 'a piece is too long')
    const piece = await file.read(at + pieceHeaderBytes, length)
    crc = crc32(piece, crc)
    if (piece.length !== length || crc !== readUint32(header, 4)) {
      throw damaged(file.path, at, 'a piece does not match its checksum')
    }
    if (length === 0) return
    yield piece
    at += pieceHeaderBytes + length
  }
}
