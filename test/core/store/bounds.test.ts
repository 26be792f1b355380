/** What one transaction or range may answer, however the keys lie. */
import t from 'tap'
import type { Operation, RangeResult } from '../../../src/core/store/types.ts'
import {
  maxOperationsPerTransaction,
  maxRangeBytes,
  maxRowsPerRange,
  rowOverheadBytes,
} from '../../../src/core/store/types.ts'
import { get, Log, put, transaction } from './fixture.ts'

/** `count` keys `k00000`, `k00001` and so on, in transactions as long as may be. */
function fill(log: Log, count: number): void {
  for (let from = 0; from < count; from += maxOperationsPerTransaction) {
    const length = Math.min(maxOperationsPerTransaction, count - from)
    log.write(...Array.from({ length }, (_, i) => put(nth(from + i), '')))
  }
}

const nth = (n: number): string => `k${String(n).padStart(5, '0')}`

function readIn(log: Log, ...operations: Operation[]): RangeResult[] {
  const { result } = log.apply(transaction(operations))
  if (result.kind !== 'transaction') throw new Error(`it is ${result.kind}`)
  return result.results.flatMap((one) => (one.kind === 'range' ? one.result : []))
}

t.test(
  'a range in a transaction has so many rows at most, and says when there are more',
  async (t) => {
    const log = new Log()
    fill(log, maxRowsPerRange + 1)
    const wide = { key: 'k', rangeEnd: 'l', limit: 5000 }
    for (const operation of [get('k', 'l'), { kind: 'range', range: wide } as const]) {
      const [told] = readIn(log, operation)
      t.match(told, { more: true, items: { length: maxRowsPerRange } })
    }
    t.match(readIn(log, get('k', nth(maxRowsPerRange)))[0], {
      more: false,
      items: { length: maxRowsPerRange },
    })
  },
)

t.test('rows cost more than their keys and values, and all ranges share one bound', async (t) => {
  const log = new Log()
  fill(log, 2000)
  const gets = Array.from({ length: maxOperationsPerTransaction }, () => get('k', 'l'))
  const told = readIn(log, ...gets)
  const rows = told.reduce((sum, { items }) => sum + items.length, 0)
  t.equal(rows, Math.floor(maxRangeBytes / (6 + rowOverheadBytes)))
  t.ok(told.every(({ more }) => more))
})

t.test('a single range without a limit is bounded by what its rows cost', async (t) => {
  const log = new Log()
  fill(log, 40_000)
  t.match(log.store.range({ key: 'k', rangeEnd: 'l' }), {
    result: { more: true, items: { length: Math.floor(maxRangeBytes / (6 + rowOverheadBytes)) } },
  })
})
