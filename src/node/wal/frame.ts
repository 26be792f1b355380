/**
 * Frames: what one write and one sync put into a segment.
 *
 *     magic  length  CRC of payload  CRC of header  payload  end mark  zeros up to 16 bytes
 *
 * A frame begins at a multiple of 16, so its header never lies across two sectors. The header's
 * CRC also covers the segment's sequence and the frame's offset: a frame is valid only in the
 * place it was written to. A frame is written only once the one before it is durable. Hence a
 * valid frame proves that everything before it was once durable, and what is unreadable before a
 * valid frame is damage, never a torn write.
 */
import { assert } from '../../base/assert.ts'
import { readUint32 } from '../../base/byte-reader.ts'
import { ByteWriter, writeUint32 } from '../../base/byte-writer.ts'
import { crc32 } from '../../base/crc32.ts'

export const frameAlignment = 16
const headerBytes = 16
/** No byte of either is zero, so that what was not written is never taken for them. */
const magic = 0xf7a3_6d9b
const endMark = 0xe5c1_b2d7
const endMarkBytes = 4
/** The unit that media write whole or not at all. */
const sectorBytes = 512

/** The bytes a payload of `length` takes as a frame. */
export function frameLength(payloadLength: number): number {
  const length = headerBytes + payloadLength + endMarkBytes
  return Math.ceil(length / frameAlignment) * frameAlignment
}

/** A writer that leaves room for the header; hand it to `finishFrame` when the payload is in. */
export function beginFrame(payloadCapacity: number): ByteWriter {
  const writer = new ByteWriter(frameLength(payloadCapacity))
  for (let i = 0; i < headerBytes; i += 4) writer.uint32(0)
  return writer
}

/** The frame's bytes, for `offset` of segment `sequence`. */
export function finishFrame(writer: ByteWriter, sequence: number, offset: number): Uint8Array {
  assert(offset % frameAlignment === 0, 'a frame begins at a multiple of its alignment')
  const payloadLength = writer.length - headerBytes
  assert(payloadLength > 0, 'a frame has a payload')
  writer.uint32(endMark)
  while (writer.length % frameAlignment !== 0) writer.uint8(0)
  const bytes = writer.view()
  writeUint32(bytes, 0, magic)
  writeUint32(bytes, 4, payloadLength)
  writeUint32(bytes, 8, crc32(bytes.subarray(headerBytes, headerBytes + payloadLength)))
  writeUint32(bytes, 12, headerCrc(bytes, 0, sequence, offset))
  return bytes
}

function headerCrc(bytes: Uint8Array, at: number, sequence: number, offset: number): number {
  const place = new Uint8Array(12)
  writeUint32(place, 0, sequence % 0x1_0000_0000)
  writeUint32(place, 4, Math.floor(sequence / 0x1_0000_0000))
  writeUint32(place, 8, offset)
  return crc32(bytes.subarray(at, at + 12), crc32(place))
}

export type FrameAt =
  | { readonly kind: 'frame'; readonly payload: Uint8Array; readonly end: number }
  /** Sixteen zeros or the segment's end: nothing was written here. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unreadable' }

/** Looks at `offset` of a whole segment. */
export function readFrame(segment: Uint8Array, sequence: number, offset: number): FrameAt {
  if (offset + headerBytes > segment.length || isZero(segment, offset, offset + headerBytes)) {
    return { kind: 'nothing' }
  }
  const length = readHeader(segment, sequence, offset)
  if (length === undefined) return { kind: 'unreadable' }
  const payload = segment.subarray(offset + headerBytes, offset + headerBytes + length)
  const isWhole = payload.length === length && crc32(payload) === readUint32(segment, offset + 8)
  return isWhole
    ? { kind: 'frame', payload, end: offset + frameLength(length) }
    : { kind: 'unreadable' }
}

/** The payload's length, when there is a whole header at `offset`. */
function readHeader(segment: Uint8Array, sequence: number, offset: number): number | undefined {
  if (readUint32(segment, offset) !== magic) return undefined
  const isHeader = readUint32(segment, offset + 12) === headerCrc(segment, offset, sequence, offset)
  return isHeader ? readUint32(segment, offset + 4) : undefined
}

/** The offset of the first valid frame after `offset`, if any. */
export function findFrame(
  segment: Uint8Array,
  sequence: number,
  offset: number,
): number | undefined {
  const first = (Math.floor(offset / frameAlignment) + 1) * frameAlignment
  for (let at = first; at + headerBytes <= segment.length; at += frameAlignment) {
    if (readUint32(segment, at) !== magic) continue
    if (readFrame(segment, sequence, at).kind === 'frame') return at
  }
  return undefined
}

/**
 * Whether what is at `offset`, unreadable and not followed by a valid frame, can be a write that
 * a crash cut short. Segments are zeros before they are written, so such a write leaves a sector,
 * or everything from some byte on, zero. Anything else was whole once and has changed since.
 */
export function looksTorn(segment: Uint8Array, sequence: number, offset: number): boolean {
  const headerEnd = offset + headerBytes
  const length = readHeader(segment, sequence, offset)
  if (length === undefined) {
    const sectorEnd = Math.min(segment.length, nextSector(offset))
    return isZero(segment, offset, sectorEnd) || isZero(segment, headerEnd, segment.length)
  }
  const end = headerEnd + length + endMarkBytes
  // A segment is made longer for a frame longer than it, and the crash came before the sync.
  if (end > segment.length) return true
  if (readUint32(segment, end - endMarkBytes) !== endMark) return true
  for (let at = offset; at < end; at = nextSector(at)) {
    if (isZero(segment, at, Math.min(end, nextSector(at)))) return true
  }
  return false
}

const nextSector = (offset: number): number => (Math.floor(offset / sectorBytes) + 1) * sectorBytes

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0) return false
  return true
}
