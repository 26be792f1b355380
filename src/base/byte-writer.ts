/**
 * Bytes one field at a time, for the formats that are kept on disk or sent between members.
 * Integers are LEB128 varints of up to 53 bits, or fixed little-endian; text and byte strings
 * carry their length in front. `ByteReader` reads what this writes.
 */
import { assert } from './assert.ts'
import { utf8 } from './bytes.ts'

const initialBytes = 256
/** Above this length `TextEncoder` is quicker than a loop over the characters. */
const shortTextLength = 128

export class ByteWriter {
  #bytes: Uint8Array
  /** Invariant: 0 <= #length <= #bytes.length. */
  #length = 0

  constructor(capacity = initialBytes) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** What was written, as a view: it holds only until the next write or `clear`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What was written, as bytes of its own. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  uint8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length] = value
    this.#length += 1
  }

  uint32(value: number): void {
    this.#reserve(4)
    writeUint32(this.#bytes, this.#length, value)
    this.#length += 4
  }

  /** A safe integer >= 0, in one to eight bytes. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe integer >= 0')
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length] = (rest % 0x80) | 0x80
      this.#length += 1
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length] = rest
    this.#length += 1
  }

  /** Without a length in front. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** A byte string that is held as text, a character a byte. */
  latin1(text: string): void {
    this.varint(text.length)
    this.#reserve(text.length)
    for (let i = 0; i < text.length; i += 1) this.#bytes[this.#length + i] = text.charCodeAt(i)
    this.#length += text.length
  }

  /** Well-formed text, as UTF-8; a lone surrogate would not come back as it went. */
  text(text: string): void {
    if (text.length > shortTextLength || !this.#shortAscii(text)) {
      assert(text.isWellFormed(), 'text to be written is well-formed')
      this.bytes(utf8(text))
    }
  }

  /** False, and nothing written, when a character is not ASCII. */
  #shortAscii(text: string): boolean {
    this.#reserve(text.length + 8)
    const start = this.#length
    this.varint(text.length)
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) {
        this.#length = start
        return false
      }
      this.#bytes[this.#length] = code
      this.#length += 1
    }
    return true
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Little-endian. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff
  bytes[at + 1] = (value >>> 8) & 0xff
  bytes[at + 2] = (value >>> 16) & 0xff
  bytes[at + 3] = value >>> 24
}
