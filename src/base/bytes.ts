/** Small helpers over `Uint8Array`, so that no other pure room needs `Buffer`. */
import { assert } from './assert.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const utf8 = (text: string): Uint8Array => encoder.encode(text)
/** Invalid sequences become U+FFFD; use only where that is harmless. */
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

/** A character a byte, whatever the bytes are. */
export const toLatin1 = (bytes: Uint8Array): string =>
  Buffer.prototype.latin1Slice.call(bytes, 0, bytes.length)

/** The bytes that `toLatin1` made `text` of. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  Buffer.prototype.latin1Write.call(bytes, text, 0, text.length)
  return bytes
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hex digits, two a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += hexOfByte[byte]
  return text
}

/** Throws `AssertionError` on anything but an even number of hex digits. */
export function fromHex(text: string): Uint8Array {
  assert(/^([0-9a-fA-F]{2})*$/.test(text), 'hex digits come in pairs')
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}

/** As many arguments as a call can safely have. */
const charactersAtOnce = 8192

/** Standard base64 with padding (RFC 4648, 4). */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += charactersAtOnce) {
    binary += String.fromCharCode(...bytes.subarray(at, at + charactersAtOnce))
  }
  return btoa(binary)
}

/** Undefined when it is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at)
  return bytes
}
