/** Reads what `ByteWriter` wrote. Bytes from outside are never trusted: every field is checked. */

/** Thrown by `ByteReader`; a decoder catches it with `readWhole` and tells a typed failure. */
export class MalformedBytesError extends Error {
  override readonly name = 'MalformedBytesError'
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class ByteReader {
  readonly #bytes: Uint8Array
  /** Invariant: 0 <= #at <= #bytes.length. */
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  uint8(): number {
    this.#need(1)
    this.#at += 1
    return this.#bytes[this.#at - 1] as number
  }

  uint32(): number {
    this.#need(4)
    this.#at += 4
    return readUint32(this.#bytes, this.#at - 4)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let length = 1; ; length += 1) {
      const byte = this.uint8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        // One value has one encoding, so that equal bytes and equal meaning are the same thing.
        if (byte === 0 && length > 1) throw new MalformedBytesError('an overlong integer')
        if (!Number.isSafeInteger(value)) throw new MalformedBytesError('an integer too large')
        return value
      }
      if (length === 8) throw new MalformedBytesError('an integer too long')
      scale *= 0x80
    }
  }

  /** A varint of at most `max`. */
  count(max: number): number {
    const value = this.varint()
    if (value > max) throw new MalformedBytesError(`a count of ${value}, where ${max} is the most`)
    return value
  }

  /** A view of the next `length` bytes, not a copy. */
  raw(length: number): Uint8Array {
    this.#need(length)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A view, not a copy. */
  bytes(maxLength: number): Uint8Array {
    return this.raw(this.count(maxLength))
  }

  /** `maxBytes` bounds the UTF-8 form. */
  text(maxBytes: number): string {
    const bytes = this.bytes(maxBytes)
    try {
      return strictDecoder.decode(bytes)
    } catch {
      throw new MalformedBytesError('text that is not UTF-8')
    }
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left > 0) throw new MalformedBytesError(`${this.left} bytes too many`)
  }

  #need(length: number): void {
    if (length > this.left) throw new MalformedBytesError('it ends too early')
  }
}

/** Little-endian. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}

/** What `read` makes of all of `bytes`, or why it could not: the bytes are malformed. */
export function readWhole<T>(
  bytes: Uint8Array,
  read: (reader: ByteReader) => T,
):
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'malformed'; readonly reason: string } {
  try {
    const reader = new ByteReader(bytes)
    const value = read(reader)
    reader.end()
    return { kind: 'read', value }
  } catch (error) {
    if (error instanceof MalformedBytesError) return { kind: 'malformed', reason: error.message }
    throw error
  }
}
