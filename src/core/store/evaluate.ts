/** Reading for transactions and ranges: compares, and ranges within their bounds. */
import { assertNever } from '../../base/assert.ts'
import { type HeldItem, isHeld, toKeyValue } from './held.ts'
import { rowOverheadBytes } from './types.ts'
import type { Compare, KeyValue, RangeRequest, RangeResult } from './types.ts'
import type { Versions } from './versions.ts'

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
 * At most `maxBytes` of keys, values and what rows cost beside, but at least one item when nothing was read before, so
 * that whoever pages gets on. The revision asked for, if any, must be one that can be read.
 */
export function rangeOf(
  versions: Versions,
  request: RangeRequest,
  maxBytes: number,
  isFirst = true,
): { readonly result: RangeResult; readonly bytes: number } {
  const { pendingRevision } = versions
  const limit = request.limit === undefined || request.limit === 0 ? Infinity : request.limit
  const items: KeyValue[] = []
  let bytes = 0
  let more = false
  const revision = request.revision ?? pendingRevision
  versions.scan(request.key, request.rangeEnd, revision, (item) => {
    const keysOnly = request.keysOnly === true
    const size = rowOverheadBytes + item.key.length + (keysOnly ? 0 : item.value.length)
    const mayExceed = isFirst && items.length === 0
    if (items.length >= limit || (!mayExceed && bytes + size > maxBytes)) {
      more = true
      return false
    }
    items.push(keysOnly ? { ...item, value: noBytes } : toKeyValue(item))
    bytes += size
    return true
  })
  return { result: { revision: pendingRevision, items, more }, bytes }
}
