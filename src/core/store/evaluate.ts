/** Reading for transactions and ranges: compares, and ranges within their bounds. */
import { assert, assertNever } from '../../base/assert.ts'
import type { Revision } from '../../base/ids.ts'
import { type HeldItem, isHeld, toKeyValue } from './held.ts'
import { rowOverheadBytes } from './types.ts'
import type { Compare, KeyValue, RangeRequest, RangeResult } from './types.ts'
import type { Looks, Versions } from './versions.ts'

/** `item` is what `compare.key` holds now; undefined when it is absent. */
export function compareHolds(compare: Compare, item: HeldItem | undefined): boolean {
  if (compare.target === 'value') {
    const equal = item !== undefined && isHeld(item.value, compare.to)
    return compare.is === '=' ? equal : !equal
  }
  const value = item?.[compare.target] ?? 0
  const { is } = compare
  switch (is) {
    case '=':
      return value === compare.to
    case '!=':
      return value !== compare.to
    case '<':
      return value < compare.to
    case '>':
      return value > compare.to
    default:
      return assertNever(is)
  }
}

const noBytes = new Uint8Array(0)

/**
 * A range being read, in as many parts as its reader likes, as of one revision. At most `maxBytes`
 * of keys, values and what rows cost beside, but at least one item when nothing was read before,
 * so that whoever pages gets on.
 */
export class RangeReading {
  readonly #request: RangeRequest
  readonly #maxBytes: number
  readonly #isFirst: boolean
  readonly #items: KeyValue[] = []
  #bytes = 0
  #more = false
  /** The store's revision at the first part. */
  #toldAt: Revision | undefined
  /** Where to go on; undefined when there is nothing more to be read. */
  #from: string | undefined

  constructor(request: RangeRequest, maxBytes: number, isFirst = true) {
    this.#request = request
    this.#maxBytes = maxBytes
    this.#isFirst = isFirst
    this.#from = request.key
  }

  /** What must not be forgotten for the next part; undefined: whatever is there. */
  get revision(): Revision | undefined {
    return this.#request.revision ?? this.#toldAt
  }

  get isDone(): boolean {
    return this.#from === undefined
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What was read so far; when that is not all, there is more. */
  get result(): RangeResult {
    assert(this.#toldAt !== undefined, 'something was read')
    return { revision: this.#toldAt, items: this.#items, more: this.#more || !this.isDone }
  }

  /** Goes on, as far as `looks` goes. The revision asked for, if any, must be one that can be read. */
  readOn(versions: Versions, looks: Looks): void {
    if (this.#from === undefined) return
    const { rangeEnd, revision } = this.#request
    this.#toldAt ??= versions.pendingRevision
    // One key as it is now is found at once.
    const bound = rangeEnd === undefined && revision === undefined ? undefined : looks
    const at = revision ?? this.#toldAt
    this.#from = versions.scan(this.#from, rangeEnd, at, (item) => this.#take(item), bound)
  }

  #take(item: HeldItem): boolean {
    const limit = this.#request.limit ?? 0
    const keysOnly = this.#request.keysOnly === true
    const size = rowOverheadBytes + item.key.length + (keysOnly ? 0 : item.value.length)
    const mayExceed = this.#isFirst && this.#items.length === 0
    const isFull = limit > 0 && this.#items.length >= limit
    if (isFull || (!mayExceed && this.#bytes + size > this.#maxBytes)) {
      this.#more = true
      return false
    }
    this.#items.push(keysOnly ? { ...item, value: noBytes } : toKeyValue(item))
    this.#bytes += size
    return true
  }
}
