/** What one transaction or range may answer, however the keys lie. */
import t from 'tap'
import type { Operation, RangeResult } from '../../../src/core/store/types.ts'
import {
  maxKeysLookedAt,
  maxOperationsPerTransaction,
  maxRangeBytes,
  maxRowsPerRange,
  rowOverheadBytes,
} from '../../../src/core/store/types.ts'
import { compact, del, get, Log, put, transaction } from './fixture.ts'
import { countKeysPassed } from './keys-passed.ts'

/** `count` keys `k00000`, `k00001` and so on, in transactions as long as may be. */
function fill(log: Log, count: number, value = ''): void {
  for (let from = 0; from < count; from += maxOperationsPerTransaction) {
    const length = Math.min(maxOperationsPerTransaction, count - from)
    log.write(...Array.from({ length }, (_, i) => put(nth(from + i), value)))
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
  fill(log, 2000, 'x'.repeat(200))
  const gets = Array.from({ length: maxOperationsPerTransaction }, () => get('k', 'l'))
  const told = readIn(log, ...gets)
  const rows = told.reduce((sum, { items }) => sum + items.length, 0)
  t.equal(rows, Math.floor(maxRangeBytes / (6 + 200 + rowOverheadBytes)))
  t.ok(told.every(({ more }) => more))
})

t.test('a single range without a limit is bounded by what its rows cost', async (t) => {
  const log = new Log()
  fill(log, 40_000)
  t.match(log.store.range({ key: 'k', rangeEnd: 'l' }), {
    result: { more: true, items: { length: Math.floor(maxRangeBytes / (6 + rowOverheadBytes)) } },
  })
})

/** Keys that `work` comes past in the store's own order. */
function keysPassed(work: () => void): number {
  const count = countKeysPassed()
  work()
  count.stop()
  return count.passed
}

const whole = (n: number, operation: Operation): Operation[] =>
  Array.from({ length: n }, () => operation)

t.test('keys that were not there yet are counted, by all ranges of a transaction', async (t) => {
  const log = new Log()
  log.write(put('a'), put('z'))
  fill(log, maxKeysLookedAt + 1000)
  let told: RangeResult[] = []
  const gets = [...whole(500, get('b', 'zz', 1)), get('a'), get('k', 'l')]
  const passed = keysPassed(() => (told = readIn(log, ...gets)))
  t.ok(passed <= maxKeysLookedAt + gets.length, `${passed} keys`)
  t.match(told[0], { items: [], more: true }, 'cut before what it looks for')
  t.match(told[499], { items: [], more: true })
  t.match(told[500], { items: [{ key: 'a' }], more: false }, 'one key, as it is, is always told')
  t.match(told[501], { items: [], more: true })
  t.match(readIn(log, get(nth(1500), 'zz', 1)), [{ items: [{ key: 'z' }], more: false }])
})

t.test('so are newer versions that lie before an old one', async (t) => {
  const log = new Log()
  log.write(put('a', 'first'), put('b', 'first'))
  for (let n = 0; n <= maxKeysLookedAt; n += 1) log.write(put('a', String(n)))
  const [first, second, third] = readIn(log, get('a', undefined, 1), get('b', 'c', 1), get('b'))
  t.match(first, { items: [{ modRevision: 1 }], more: false }, 'it is found, whatever it takes')
  t.match(second, { items: [], more: true })
  t.match(third, { items: [{ key: 'b' }], more: false })
})

t.test('how far a sweep has come changes no answer', async (t) => {
  const logs = [new Log(), new Log(), new Log()] as const
  const answers = logs.map((log, n) => {
    fill(log, 25_000)
    const pinned = log.store.snapshotChunks()
    if (n !== 1) pinned.return()
    for (let at = 0; at < 5; at += 1) log.write(del(nth(at * 5000), nth(at * 5000 + 5000)))
    const floor = log.store.revision - 2
    log.apply(compact(floor))
    if (n === 2) while (log.store.sweep(1000));
    const gets = [get('a', 'z'), get('a', 'z', floor), get(nth(5), nth(24_999))]
    return [readIn(log, ...gets), readIn(log, get('k', 'l')), readIn(log, get('k', 'l', floor))]
  })
  t.same(answers[1], answers[0], 'held back by a snapshot')
  t.same(answers[2], answers[0], 'done')
})

t.test('what is forgotten is passed a few times and no more', async (t) => {
  const log = new Log()
  fill(log, 25_000)
  for (let at = 0; at < 5; at += 1) log.write(del(nth(at * 5000), nth(at * 5000 + 5000)))
  log.write(put('other'))
  log.apply(compact(log.store.revision))
  const passed = keysPassed(() => readIn(log, ...whole(512, get('k', 'l'))))
  t.ok(passed < 100_000, `${passed} keys`)
})

t.test('deletes that overlap look at each key once', async (t) => {
  const log = new Log()
  fill(log, 10_000)
  for (const from of [0, 5000]) log.write(del(nth(from), nth(from + 5000)))
  log.write(put(nth(3)), put(nth(4)), put(nth(7000)), put('z'))
  const dels = [
    del(nth(4), nth(6)),
    del(nth(4)),
    del('k', 'l'),
    del('z'),
    ...whole(500, del('j', 'm')),
  ]
  let counts: number[] = []
  const passed = keysPassed(() => {
    const { result } = log.apply(transaction(dels))
    if (result.kind !== 'transaction') throw new Error(result.kind)
    counts = result.results.map((one) => (one.kind === 'delete' ? one.deleted : -1))
  })
  t.same(counts, [1, 0, 2, 1, ...Array.from({ length: 500 }, () => 0)])
  t.ok(passed < 20_000, `${passed} keys`)
  fill(log, 5001)
  t.match(log.apply(transaction([del('a'), ...whole(9, del('j', 'm'))])).result, {
    kind: 'refused',
    reason: 'tooManyKeys',
  })
  t.match(log.apply(transaction([del('k', nth(2500)), del(nth(2500), nth(5000))])).result, {
    results: [{ deleted: 2500 }, { deleted: 2500 }],
  })
})
