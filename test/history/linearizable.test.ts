/** The checker of histories: by hand, against one that tries every order, and on long ones. */
import * as fc from 'fast-check'
import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { atomicHistory, staleRead, tryEveryOrder } from './examples.ts'
import { checkHistory } from './linearizable.ts'
import { lineOf, type Operation, parseHistory, textOf } from './operation.ts'

type Text = string | null
let client = 0
const told = (
  op: Operation['op'],
  [value, expected]: readonly [Text, Text],
  ok: boolean | null,
  [start, end]: readonly [number, number | null],
): Operation => ({ client: (client += 1), op, key: 'k', value, expected, ok, start, end })
const put = (value: Text, start: number, end: number): Operation =>
  told('put', [value, null], true, [start, end])
const get = (value: Text, start: number, end: number): Operation =>
  told('get', [value, null], true, [start, end])
const cas = (expected: Text, value: Text, ok: boolean, at: readonly [number, number]): Operation =>
  told('cas', [value, expected], ok, at)
const lostPut = (value: Text, start: number): Operation =>
  told('put', [value, null], null, [start, null])
const lostCas = (expected: Text, value: Text, start: number): Operation =>
  told('cas', [value, expected], null, [start, null])

const stories: readonly (readonly [string, boolean, readonly Operation[]])[] = [
  ['nothing was ever there', true, [get(null, 0, 1), get(null, 2, 3)]],
  ['a write is read', true, [put('a', 0, 1), get('a', 2, 3)]],
  ['a write is not read', false, [put('a', 0, 1), get(null, 2, 3)]],
  ['a read beside a write sees it or not', true, [put('a', 0, 9), get(null, 1, 2), get('a', 3, 4)]],
  ['but not backwards', false, [put('a', 0, 9), get('a', 1, 2), get(null, 3, 4)]],
  ['what nobody wrote', false, [put('a', 0, 1), get('b', 2, 3)]],
  ['what was overwritten', false, [put('a', 0, 1), put('b', 2, 3), get('a', 4, 5)]],
  [
    'two readers agree on the order of two writes',
    false,
    [...[put('a', 0, 9), put('b', 0, 9)], ...[get('a', 1, 2), get('b', 3, 4), get('a', 5, 6)]],
  ],
  ['a swap of what was there', true, [put('a', 0, 1), cas('a', 'b', true, [2, 3]), get('b', 4, 5)]],
  ['a swap of what was not', false, [put('a', 0, 1), cas('x', 'b', true, [2, 3])]],
  ['a swap that was refused rightly', true, [put('a', 0, 1), cas(null, 'b', false, [2, 3])]],
  ['a swap that was refused wrongly', false, [put('a', 0, 1), cas('a', 'b', false, [2, 3])]],
  [
    'two swaps of one value',
    false,
    [put('a', 0, 1), cas('a', 'b', true, [2, 9]), cas('a', 'c', true, [2, 9])],
  ],
  ['a lost write is never seen', true, [lostPut('a', 0), get(null, 1, 2), get(null, 3, 4)]],
  ['a lost write takes effect late', true, [lostPut('a', 0), get(null, 1, 2), get('a', 8, 9)]],
  ['but once', false, [lostPut('a', 0), get('a', 1, 2), put('b', 3, 4), get('a', 5, 6)]],
  ['and not before it was asked for', false, [get('a', 0, 1), lostPut('a', 2)]],
  [
    'a lost write that nobody read is why a swap was refused',
    true,
    [put('a', 0, 1), lostPut('b', 2), cas('a', 'c', false, [3, 4])],
  ],
  [
    'one lost write explains one refusal',
    false,
    [
      ...[put('a', 0, 1), lostPut('b', 2), cas('a', 'c', false, [3, 4])],
      ...[put('a', 5, 6), cas('a', 'd', false, [7, 8])],
    ],
  ],
  ['a lost swap', true, [put('a', 0, 1), lostCas('a', 'b', 2), get('a', 3, 4), get('b', 5, 6)]],
  ['a lost swap of nothing', false, [put('a', 0, 1), lostCas('x', 'b', 2), get('b', 5, 6)]],
]

t.test('histories that were written by hand', (t) => {
  for (const [name, isRight, operations] of stories) {
    t.equal(checkHistory(operations).kind, isRight ? 'linearizable' : 'broken', name)
    t.equal(tryEveryOrder(operations), isRight, `${name}, by every order`)
  }
  t.end()
})

t.test('who broke it is told, and what could have been there', (t) => {
  const wrong = get('a', 4, 5)
  const verdict = checkHistory([put('a', 0, 1), put('b', 2, 3), get('b', 4, 6), wrong])
  t.same(verdict, { kind: 'broken', operation: wrong, mayHold: ['b'] })
  t.end()
})

const anyValue = fc.constantFrom(null, 'a', 'b', 'c')
const anyOperation = fc
  .record({
    op: fc.constantFrom<Operation['op']>('get', 'put', 'cas'),
    value: anyValue,
    expected: anyValue,
    ok: fc.constantFrom(true, true, true, false, null),
    start: fc.integer({ min: 0, max: 12 }),
    lasts: fc.integer({ min: 0, max: 6 }),
  })
  .map(({ op, value, expected, ok, start, lasts }) => {
    const swap = op === 'cas' ? expected : null
    return told(op, [value, swap], ok, [start, ok === null ? null : start + lasts])
  })

t.test('any short history: as every order of it says', (t) => {
  let broken = 0
  const property = fc.property(fc.array(anyOperation, { maxLength: 7 }), (operations) => {
    const isRight = tryEveryOrder(operations)
    if (!isRight) broken += 1
    return (checkHistory(operations).kind === 'linearizable') === isRight
  })
  const { failed, counterexample, numRuns } = fc.check(property, { numRuns: 4000 })
  t.equal(failed, false, JSON.stringify(counterexample))
  t.ok(broken > numRuns / 20 && broken < numRuns, 'both kinds were among them')
  t.end()
})

t.test('long histories of a store that is right, and one read of them altered', (t) => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const history = atomicHistory(new SeededRandom(seed), { operations: 600, clients: 16 })
    t.ok(history.filter(({ ok }) => ok === null).length > 5, 'some outcomes are unknown')
    t.equal(checkHistory(history).kind, 'linearizable')
    const reads = history.filter(({ op }) => op === 'get')
    const read = new SeededRandom(seed).pick(reads)
    const invented = history.map((each) => (each === read ? { ...each, value: 'never' } : each))
    t.match(checkHistory(invented), { kind: 'broken', operation: { value: 'never' } })
    const { altered, line } = staleRead(history)
    t.match(checkHistory(altered), { kind: 'broken' }, `line ${line} tells what was overwritten`)
  }
  t.end()
})

t.test('many lost writes do not make it slow, and the search is bounded', (t) => {
  const lost = Array.from({ length: 40 }, (_, at) => lostPut(`lost${at}`, at))
  const reads = lost.slice(0, 20).map(({ value }, at) => get(value, 100 + 2 * at, 101 + 2 * at))
  t.equal(checkHistory([...lost, ...reads]).kind, 'linearizable')
  t.equal(checkHistory([...lost, ...reads, get('never', 900, 901)]).kind, 'broken')
  const both = checkHistory([put('a', 0, 9), put('b', 0, 9), get('a', 0, 9), get('b', 0, 9)], 2)
  t.same(both, { kind: 'undecided', key: 'k' })
  t.end()
})

t.test('a file says in which line it is none', (t) => {
  const good = [put('a', 0, 1), lostPut('b', 2), get(null, 3, 4)]
  t.same(parseHistory(textOf(good)), good)
  t.equal(
    lineOf({
      client: 1,
      op: 'put',
      key: 'k',
      value: 'v',
      expected: null,
      ok: null,
      start: 5,
      end: null,
    }),
    '{"client":1,"op":"put","key":"k","value":"v","expected":null,"ok":null,"start":5,"end":null}',
  )
  const second = (line: string) => `${lineOf(get(null, 0, 1))}\n${line}\n`
  t.throws(() => parseHistory(''), { code: 'JGD_USAGE', message: /no operation/ })
  t.throws(() => parseHistory(second('{')), { message: /line 2 is not JSON/ })
  t.throws(() => parseHistory(second('7')), { message: /line 2 is no object/ })
  const wrong = { ...get('a', 5, 6), client: 9 }
  const broken: readonly (readonly [object, RegExp])[] = [
    [{ op: 'del' }, /line 2: op is/],
    [{ client: 'x' }, /line 2: client/],
    [{ key: 1 }, /line 2: key/],
    [{ value: 1 }, /line 2: value/],
    [{ expected: 1 }, /line 2: expected/],
    [{ ok: 1 }, /line 2: ok/],
    [{ start: 2 ** 53 }, /line 2: start/],
    [{ end: 4 }, /line 2: end/],
    [{ end: null }, /line 2: end/],
  ]
  for (const [change, message] of broken) {
    t.throws(() => parseHistory(second(JSON.stringify({ ...wrong, ...change }))), { message })
  }
  const busy = [wrong, { ...get('a', 5, 7), client: 9 }]
  t.throws(() => parseHistory(textOf(busy)), { message: /client 9 begins/ })
  t.end()
})
