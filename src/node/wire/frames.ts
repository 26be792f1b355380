/**
 * Frames on a byte stream: a 32-bit big-endian length, one byte of kind, the payload. The length
 * counts kind and payload. A length beyond the bound ends the stream before anything is kept.
 */
import { assert } from '../../base/assert.ts'
import { concat } from '../../base/bytes.ts'

/** An append of `maxAppendBytes` or a range's answer fits with room to spare. */
export const maxFrameBytes = 16 * 1024 * 1024
const headerBytes = 5

export interface Frame {
  readonly kind: number
  readonly payload: Uint8Array
}

export function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  assert(kind >= 0 && kind <= 255, 'a frame kind is one byte')
  assert(payload.length + 1 <= maxFrameBytes, 'a frame keeps to its bound')
  const bytes = new Uint8Array(headerBytes + payload.length)
  writeLength(bytes, payload.length + 1)
  bytes[4] = kind
  bytes.set(payload, headerBytes)
  return bytes
}

/**
 * Cuts a byte stream into frames.
 *
 * Invariant: `#buffered` is the sum of the lengths of `#chunks`, and less than a whole frame
 * remains after `push` has returned.
 */
export class FrameReader {
  #chunks: Uint8Array[] = []
  #buffered = 0

  /** The frames that `bytes` completes, or undefined when the stream is not ours: close it. */
  push(bytes: Uint8Array): Frame[] | undefined {
    this.#chunks.push(bytes)
    this.#buffered += bytes.length
    const frames: Frame[] = []
    if (this.#buffered < headerBytes) return frames
    const joined = this.#join()
    let at = 0
    while (at + headerBytes <= joined.length) {
      const length = readLength(joined, at)
      if (length < 1 || length > maxFrameBytes) return undefined
      const end = at + 4 + length
      if (end > joined.length) break
      frames.push({
        kind: joined[at + 4] as number,
        payload: joined.subarray(at + headerBytes, end),
      })
      at = end
    }
    // Only what was joined whole has a whole frame in it.
    if (at > 0) {
      this.#buffered = joined.length - at
      this.#chunks = this.#buffered === 0 ? [] : [joined.subarray(at)]
    }
    return frames
  }

  /** What came behind the last whole frame; the reader is empty afterwards. */
  remainder(): Uint8Array {
    const rest = concat(this.#chunks)
    this.#chunks = []
    this.#buffered = 0
    return rest
  }

  /** While a long frame is coming in, chunks are joined only once it could be whole. */
  #join(): Uint8Array {
    if (this.#chunks.length > 1) {
      const first = this.#chunks[0] as Uint8Array
      const known = first.length >= 4
      const needed = known ? 4 + readLength(first, 0) : headerBytes
      if (!known || needed > maxFrameBytes + 4 || this.#buffered >= needed) {
        this.#chunks = [concat(this.#chunks)]
      }
    }
    return this.#chunks[0] as Uint8Array
  }
}

/** By hand, because a `DataView` for each frame costs as much as all the rest of it. */
function writeLength(bytes: Uint8Array, length: number): void {
  bytes[0] = length >>> 24
  bytes[1] = (length >>> 16) & 0xff
  bytes[2] = (length >>> 8) & 0xff
  bytes[3] = length & 0xff
}

function readLength(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16)
  return (high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
}
