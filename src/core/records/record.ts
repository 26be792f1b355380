/**
 * One kind of record: a prefix of the keyspace, a schema and a version. Values are JSON, so that
 * a person can read the store. A reader ignores fields it does not know, so that a newer binary
 * may add some; it refuses a version it does not know.
 */
import { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { assert } from '../../base/assert.ts'
import { fromUtf8, utf8 } from '../../base/bytes.ts'
import type { Revision } from '../../base/ids.ts'
import type { KeyValue, Operation } from '../store/types.ts'

export interface RecordKind<T, Parts extends readonly string[]> {
  /** Ends in `/`. */
  readonly prefix: string
  /** The whole prefix as a range. */
  readonly range: { readonly key: string; readonly rangeEnd: string }
  key(...parts: Parts): string
  /** The range of keys that begin with `parts`. */
  under(...parts: string[]): { readonly key: string; readonly rangeEnd: string }
  /** What follows the prefix, split at `/`. */
  partsOf(key: string): string[]
  encode(value: T): Uint8Array
  put(value: T, ...parts: Parts): Operation
  /** Undefined when the value is not of this kind, or of a version that is not known here. */
  read(item: KeyValue): Stored<T> | undefined
}

/** A record with what the store knows of it. */
export interface Stored<T> {
  readonly key: string
  readonly value: T
  readonly createRevision: Revision
  readonly modRevision: Revision
}

/** The end of the range of all keys that begin with `prefix`. */
export function prefixEnd(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1)
  assert(prefix.length > 0 && last < 0xffff, 'a prefix has a successor')
  return prefix.slice(0, -1) + String.fromCharCode(last + 1)
}

const partPattern = /^[^/\0]{1,512}$/

export function recordKind<S extends TSchema, Parts extends readonly string[]>(
  prefix: string,
  schema: S,
): RecordKind<Static<S>, Parts> {
  assert(prefix.endsWith('/'), 'a prefix ends in a slash')
  let check: { Check(value: unknown): boolean } | undefined
  // Compiling costs a millisecond a schema, so each waits until it is first used.
  const valid = (value: unknown): boolean => {
    check ??= Compile(schema)
    return check.Check(value)
  }
  const join = (parts: readonly string[]): string => {
    for (const part of parts) assert(partPattern.test(part), `"${part}" can be part of a key`)
    return prefix + parts.join('/')
  }
  return {
    prefix,
    range: { key: prefix, rangeEnd: prefixEnd(prefix) },
    key: (...parts) => join(parts),
    under: (...parts) => {
      const start = parts.length === 0 ? prefix : `${join(parts)}/`
      return { key: start, rangeEnd: prefixEnd(start) }
    },
    partsOf: (key) => key.slice(prefix.length).split('/'),
    encode: (value) => {
      assert(valid(value), `a record under ${prefix} has its shape`)
      return utf8(JSON.stringify(value))
    },
    put(value, ...parts) {
      return { kind: 'put', key: join(parts), value: this.encode(value) }
    },
    read: (item) => {
      if (!item.key.startsWith(prefix)) return undefined
      let value: unknown
      try {
        value = JSON.parse(fromUtf8(item.value))
      } catch {
        return undefined
      }
      if (!valid(value)) return undefined
      return {
        key: item.key,
        value: value as Static<S>,
        createRevision: item.createRevision,
        modRevision: item.modRevision,
      }
    },
  }
}
