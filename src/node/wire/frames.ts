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
    while (this.#buffered >= headerBytes) {
      const joined = this.#join()
      const length = readLength(joined)
      if (length < 1 || length > maxFrameBytes) return undefined
      if (this.#buffered < 4 + length) break
      frames.push({ kind: joined[4] as number, payload: joined.subarray(headerBytes, 4 + length) })
      const rest = joined.subarray(4 + length)
      this.#chunks = rest.length === 0 ? [] : [rest]
      this.#buffered = rest.length
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
      const needed = known ? 4 + readLength(first) : headerBytes
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

function readLength(bytes: Uint8Array): number {
  const [a, b, c, d] = [bytes[0], bytes[1], bytes[2], bytes[3]] as [number, number, number, number]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
