/**
 * A segment: a preallocated file of zeros, a header in its first sector, then frames.
 *
 *     magic (8)  format (4)  sequence (8)  member (8)  cluster (16)  incarnation (16)  CRC (4)
 */
import { assert } from '../../base/assert.ts'
import { ByteReader, readUint32 } from '../../base/byte-reader.ts'
import { ByteWriter } from '../../base/byte-writer.ts'
import { bytesEqual, fromHex, utf8 } from '../../base/bytes.ts'
import { crc32 } from '../../base/crc32.ts'
import type { Disk, DiskFile } from '../../ports/disk.ts'
import { damaged, foreign, unknownVersion } from './errors.ts'
import { findFrame, frameLength, isZero, looksTorn, readFrame } from './frame.ts'
import type { WalIdentity } from './identity.ts'
import type { WalPaths } from './paths.ts'
import { readRecords, type WalRecord } from './records.ts'

export const segmentFormat = 1
/** The header has a sector of its own, so that no write of a frame can harm it. */
export const firstFrameOffset = 512
/** Always left free for the frame that says that the segment is full. */
export const sealBytes = frameLength(1)
const magic = utf8('JGDWALS\n')
const headerLength = 64

export interface Segment {
  readonly sequence: number
  readonly path: string
  readonly file: DiskFile
  capacity: number
  /** Where the next frame goes. Invariant: all frames before it are durable, zeros follow. */
  offset: number
}

/** Creates it, durably. The log may count on it from then on. */
export async function createSegment(
  disk: Disk,
  paths: WalPaths,
  identity: WalIdentity,
  sequence: number,
  capacity: number,
): Promise<Segment> {
  const path = paths.segment(sequence)
  const file = await disk.open(path, { create: true })
  try {
    await file.allocate(capacity)
    await file.write(0, encodeHeader(identity, sequence))
    await file.sync()
    await disk.syncDirectory(paths.segments)
  } catch (error) {
    // Why it could not be made is what counts, and its room is wanted back.
    await file.close().catch(() => undefined)
    throw error
  }
  return { sequence, path, file, capacity, offset: firstFrameOffset }
}

function encodeHeader(identity: WalIdentity, sequence: number): Uint8Array {
  const writer = new ByteWriter(headerLength)
  writer.raw(magic)
  writer.uint32(segmentFormat)
  writeUint64(writer, sequence)
  writeUint64(writer, identity.memberId)
  writer.raw(fromHex(identity.clusterId))
  writer.raw(fromHex(identity.incarnation))
  writer.uint32(crc32(writer.view()))
  assert(writer.length === headerLength, 'a segment header has its length')
  return writer.take()
}

function writeUint64(writer: ByteWriter, value: number): void {
  writer.uint32(value % 0x1_0000_0000)
  writer.uint32(Math.floor(value / 0x1_0000_0000))
}

export interface ScannedFrame {
  readonly offset: number
  readonly records: readonly WalRecord[]
}

export type ScannedSegment =
  /** Made in advance and never written to. */
  | { readonly kind: 'unused' }
  | {
      readonly kind: 'used'
      readonly frames: readonly ScannedFrame[]
      readonly isSealed: boolean
      /** One past the last frame. */
      readonly end: number
      /** A write cut short by a crash left bytes from `end` up to here; 0 when there are none. */
      readonly tornEnd: number
    }

/**
 * Reads all of a segment. Throws JGD_WAL_DAMAGED, JGD_WAL_FOREIGN or JGD_WAL_VERSION. Whether a
 * torn end, or no seal, is allowed is for the caller to say: only the last segment may have them.
 */
export function scanSegment(
  bytes: Uint8Array,
  path: string,
  identity: WalIdentity,
  sequence: number,
): ScannedSegment {
  if (!hasHeader(bytes, path, identity, sequence)) {
    if (isZero(bytes, Math.min(bytes.length, firstFrameOffset), bytes.length)) {
      return { kind: 'unused' }
    }
    throw damaged(path, 0, 'its header is unreadable')
  }
  const frames: ScannedFrame[] = []
  let isSealed = false
  let offset = firstFrameOffset
  for (;;) {
    const found = readFrame(bytes, sequence, offset)
    if (found.kind !== 'frame') break
    if (isSealed) throw damaged(path, offset, 'something follows its end')
    const records = readRecords(found.payload)
    if (records === undefined) throw damaged(path, offset, 'its records cannot be read')
    isSealed = records.at(-1)?.kind === 'seal'
    frames.push({ offset, records })
    offset = found.end
  }
  return {
    kind: 'used',
    frames,
    isSealed,
    end: offset,
    tornEnd: tornEnd(bytes, path, sequence, offset),
  }
}

/** Where a torn write at `offset` ends; 0 when there is none. Throws when it is no torn write. */
function tornEnd(bytes: Uint8Array, path: string, sequence: number, offset: number): number {
  let end = bytes.length
  while (end > offset && bytes[end - 1] === 0) end -= 1
  if (end === offset) return 0
  const next = findFrame(bytes, sequence, offset)
  if (next !== undefined) {
    throw damaged(path, offset, `it cannot be read here, and goes on at byte ${next}`)
  }
  if (!looksTorn(bytes, sequence, offset)) {
    throw damaged(path, offset, 'what was written whole has changed since')
  }
  return end
}

/** False when the header was never, or only partly, written. */
function hasHeader(
  bytes: Uint8Array,
  path: string,
  identity: WalIdentity,
  sequence: number,
): boolean {
  if (bytes.length < firstFrameOffset || !bytesEqual(bytes.subarray(0, 8), magic)) return false
  const header = bytes.subarray(0, headerLength)
  const isWhole =
    crc32(header.subarray(0, headerLength - 4)) === readUint32(header, headerLength - 4)
  const reader = new ByteReader(header.subarray(8))
  const format = reader.uint32()
  if (isWhole && format !== segmentFormat) throw unknownVersion(path, format, segmentFormat)
  if (!isWhole) return false
  const expected = encodeHeader(identity, sequence)
  if (bytesEqual(header, expected)) return true
  throw foreign(path, 'its header names another cluster, member, incarnation or place')
}

/** Zeros what a torn write left, so that nothing can be taken for a frame later on. Not yet synced. */
export async function eraseTorn(file: DiskFile, from: number, to: number): Promise<void> {
  const piece = new Uint8Array(Math.min(1024 * 1024, to - from))
  for (let at = from; at < to; at += piece.length) {
    await file.write(at, piece.subarray(0, Math.min(piece.length, to - at)))
  }
}
