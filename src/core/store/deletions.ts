/**
 * The keys that the ranges deleted by one transaction cover, found in one pass over them all: 512
 * ranges may each cover the same hundred thousand keys that were there once.
 */
import type { Operation } from './types.ts'
import { maxKeysDeletedTogether } from './types.ts'
import type { Versions } from './versions.ts'

export type Deletion = Extract<Operation, { kind: 'delete' }>

const noKeys: readonly string[] = []

export class Deletions {
  /** More than one transaction may delete: then the keys are not all here. */
  readonly isTooMany: boolean
  readonly #versions: Versions
  /** In order: what is live under any of the ranges, before the transaction changes anything. */
  readonly #keys: readonly string[]

  constructor(versions: Versions, operations: readonly Operation[]) {
    this.#versions = versions
    this.#keys = liveKeys(versions, operations)
    this.isTooMany = this.#keys.length > maxKeysDeletedTogether
  }

  /** What a deletion covers, and no earlier one of the transaction has deleted yet. */
  keysOf({ key, rangeEnd }: Deletion): readonly string[] {
    const covered = rangeEnd === undefined ? [key] : this.#within(key, rangeEnd)
    return covered.filter((one) => this.#versions.get(one) !== undefined)
  }

  #within(from: string, end: string): readonly string[] {
    const first = this.#lowerBound(from)
    return end > from ? this.#keys.slice(first, this.#lowerBound(end)) : noKeys
  }

  #lowerBound(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

function liveKeys(versions: Versions, operations: readonly Operation[]): readonly string[] {
  const ranges = operations.flatMap((one) =>
    one.kind === 'delete' && one.rangeEnd !== undefined ? { from: one.key, end: one.rangeEnd } : [],
  )
  const keys: string[] = []
  let seenUpto = ''
  for (const { from, end } of ranges.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    const start = from > seenUpto ? from : seenUpto
    if (start >= end || keys.length > maxKeysDeletedTogether) continue
    versions.scan(start, end, versions.revision, (item) => {
      keys.push(item.key)
      return keys.length <= maxKeysDeletedTogether
    })
    seenUpto = end
  }
  return keys
}
