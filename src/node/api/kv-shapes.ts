/** Keys, ranges and values as `/v1/kv` writes them, and which of them are the system's own. */
import { fromBase64, toBase64, utf8 } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import { systemPrefix } from '../../core/records/keyspace.ts'
import { prefixEnd } from '../../core/records/record.ts'
import {
  type KeyValue,
  maxKeyLength,
  maxValueBytes,
  type OperationResult,
} from '../../core/store/types.ts'
import { badRequest } from './check.ts'
import type { KvEncoding, KvItem, KvTxnResult } from './kv-answers.ts'

/** `[key, rangeEnd)`, or the one key. */
export interface Selection {
  readonly key: string
  readonly rangeEnd?: string
}

/** The four ways to say which keys are meant. */
export interface SelectionText {
  readonly key?: string | undefined
  readonly prefix?: string | undefined
  readonly from?: string | undefined
  readonly end?: string | undefined
}

const smallestKey = '\0'
/** Longer than a key may be, so after every key that begins like it. */
const afterAll = (prefix: string): string =>
  prefix + '\uffff'.repeat(Math.max(1, maxKeyLength + 1 - prefix.length))
const systemEnd = prefixEnd(systemPrefix)

/** Throws JGD_BAD_REQUEST unless it is one key, a prefix (empty: all keys), or `from` and `end`. */
export function selectionOf({ key, prefix, from, end }: SelectionText): Selection {
  const ways = [key, prefix, from ?? end].filter((way) => way !== undefined)
  if (ways.length !== 1) {
    throw badRequest('say which keys are meant', 'one of: key; prefix; from with end')
  }
  if (key !== undefined) return { key }
  if (prefix !== undefined) {
    const start = prefix === '' ? smallestKey : prefix
    // The next character is no end where it would part a surrogate pair.
    const isPlain = prefix !== '' && prefix.charCodeAt(prefix.length - 1) < 0xd7ff
    return { key: start, rangeEnd: isPlain ? prefixEnd(prefix) : afterAll(prefix) }
  }
  return {
    key: from === undefined || from === '' ? smallestKey : from,
    rangeEnd: end === undefined || end === '' ? afterAll('') : end,
  }
}

/** All of it is under `/jangada/`. */
export const isSystems = ({ key, rangeEnd }: Selection): boolean =>
  key.startsWith(systemPrefix) && (rangeEnd === undefined || rangeEnd <= systemEnd)

/** Some of it is under `/jangada/`. */
export const touchesSystem = ({ key, rangeEnd }: Selection): boolean =>
  rangeEnd === undefined
    ? key.startsWith(systemPrefix)
    : key < systemEnd && rangeEnd > systemPrefix && key < rangeEnd

/** What is left of a range without the system's keys: up to two ranges, in order. */
export function withoutSystem(range: Required<Selection>): readonly Required<Selection>[] {
  if (!touchesSystem(range)) return [range]
  const before = { key: range.key, rangeEnd: systemPrefix }
  const after = { key: systemEnd, rangeEnd: range.rangeEnd }
  return [before, after].filter(({ key, rangeEnd }) => key < rangeEnd)
}

export const isSystemKey = (key: string): boolean => key.startsWith(systemPrefix)

/** Throws JGD_KEY_RESERVED when a write would touch the system's own keys. */
export function refuseSystem(selection: Selection): void {
  if (!touchesSystem(selection)) return
  const isOne = selection.rangeEnd === undefined
  const what = isOne ? `${selection.key} is under` : 'this range reaches into'
  throw new JangadaError('JGD_KEY_RESERVED', `${what} ${systemPrefix}, the system's own keys`, {
    hint: isOne ? 'use a key of any other name' : 'give a prefix, or from and end, beside it',
  })
}

/** Throws JGD_BAD_REQUEST for what is not base64, and JGD_TOO_LARGE. */
export function valueOf(text: string, encoding: KvEncoding | undefined): Uint8Array {
  const bytes = encoding === 'base64' ? fromBase64(text) : utf8(text)
  if (bytes === undefined) throw badRequest('the value is not base64, as its encoding says')
  if (bytes.length > maxValueBytes) throw valueTooLarge()
  return bytes
}

export const valueTooLarge = (): JangadaError =>
  new JangadaError('JGD_TOO_LARGE', `a value has at most ${maxValueBytes} bytes`)

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** As text where it is text, unless base64 was asked for. */
export function itemOf(item: KeyValue, wanted: KvEncoding | undefined): KvItem {
  return { ...keyOf(item), ...textOf(item.value, wanted) }
}

/** Without its value. */
export const keyOf = (item: KeyValue): KvItem => ({
  key: item.key,
  createRevision: item.createRevision,
  modRevision: item.modRevision,
  version: item.version,
  lease: item.lease ?? null,
})

function textOf(
  bytes: Uint8Array,
  wanted: KvEncoding | undefined,
): { readonly value: string; readonly encoding: KvEncoding } {
  if (wanted !== 'base64') {
    try {
      return { value: strict.decode(bytes), encoding: 'utf8' }
    } catch {
      // Not text: shown as what it is.
    }
  }
  return { value: toBase64(bytes), encoding: 'base64' }
}

export function resultOf(
  result: OperationResult,
  wanted: KvEncoding | undefined,
  keysOnly: boolean,
): KvTxnResult {
  switch (result.kind) {
    case 'put':
      return { op: 'put' }
    case 'delete':
      return { op: 'delete', deleted: result.deleted }
    default: {
      const { items, more } = result.result
      const rows = items.map((item) => (keysOnly ? keyOf(item) : itemOf(item, wanted)))
      return { op: 'get', items: rows, more }
    }
  }
}
