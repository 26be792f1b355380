/**
 * What the store keeps of a value. Short ones are kept as text, a character a byte: to V8 that is one
 * object without pointers. A byte array is four, one of them outside its heap, and with a million
 * of them a collection takes a good part of a second. Whoever reads is given bytes of his own.
 */
import { bytesEqual, fromLatin1, toLatin1 } from '../../base/bytes.ts'
import type { KeyValue } from './types.ts'

/** Longer values are few, and their bytes are what they cost. */
const textBytesMax = 4096

/** `length` is in bytes, whichever it is. */
export type HeldValue = string | Uint8Array

export type HeldItem = Omit<KeyValue, 'value'> & { readonly value: HeldValue }

/** A value cut from a log entry must not keep the whole entry, or segment, in memory. */
export function hold(value: Uint8Array): HeldValue {
  if (value.length <= textBytesMax) return toLatin1(value)
  return value.byteLength === value.buffer.byteLength ? value : value.slice()
}

export const bytesHeld = (value: HeldValue): Uint8Array =>
  typeof value === 'string' ? fromLatin1(value) : value

export const isHeld = (value: HeldValue, bytes: Uint8Array): boolean =>
  typeof value === 'string'
    ? value.length === bytes.length && value === toLatin1(bytes)
    : bytesEqual(value, bytes)

export function toKeyValue(item: HeldItem): KeyValue {
  const { key, value, createRevision, modRevision, version, lease } = item
  return { key, value: bytesHeld(value), createRevision, modRevision, version, lease }
}
