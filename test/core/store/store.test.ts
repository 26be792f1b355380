import t from 'tap'
import { revision, term } from '../../../src/base/ids.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { SnapshotRestore } from '../../../src/core/store/snapshot-restore.ts'
import type { ApplyResult, Operation } from '../../../src/core/store/types.ts'
import {
  maxKeysDeletedTogether,
  maxOperationsPerTransaction,
  maxRangeBytes,
} from '../../../src/core/store/types.ts'
import {
  compact,
  del,
  eventsOf,
  everything,
  get,
  grant,
  itemsOf,
  Log,
  put,
  read,
  revoke,
  transaction,
} from './fixture.ts'

const refusal = (result: ApplyResult): string =>
  result.kind === 'refused' ? result.reason : result.kind

t.test('a revision for each transaction that changes something, and for no other', async (t) => {
  const log = new Log()
  t.equal(log.store.revision, 0)
  log.write(put('a', '1'), put('b', '2'))
  t.equal(log.store.revision, 1)
  t.equal(log.write(get('a')).batch, undefined)
  t.equal(log.write(del('nothing')).batch, undefined)
  t.equal(log.store.revision, 1)
  log.write(put('a', '1'))
  t.equal(log.store.revision, 2, 'the same value written again is a change')
  const answer = log.store.range({ key: 'a' })
  t.match(answer, { result: { items: [{ createRevision: 1, modRevision: 2, version: 2 }] } })
  log.write(del('a'))
  log.write(put('a', '3'))
  t.match(log.store.range({ key: 'a' }), { result: { items: [{ createRevision: 4, version: 1 }] } })
})

t.test('compares decide which branch runs', async (t) => {
  const log = new Log()
  const create = (key: string) =>
    transaction([put(key)], [{ target: 'version', key, is: '=', to: 0 }], [get(key)])
  t.match(log.apply(create('a')).result, { succeeded: true, revision: 1 })
  const second = log.apply(create('a')).result
  t.match(second, { succeeded: false, revision: 1, results: [{ kind: 'range' }] })
  const when = (compare: Parameters<typeof transaction>[1]): boolean => {
    const { result } = log.apply(transaction([], compare))
    return result.kind === 'transaction' && result.succeeded
  }
  log.write(put('a', 'new'))
  t.ok(when([{ target: 'value', key: 'a', is: '=', to: utf8('new') }]))
  t.notOk(when([{ target: 'value', key: 'a', is: '=', to: utf8('newer') }]))
  t.notOk(
    when([{ target: 'value', key: 'absent', is: '=', to: utf8('') }]),
    'absent equals nothing',
  )
  t.ok(when([{ target: 'value', key: 'absent', is: '!=', to: utf8('') }]))
  t.ok(when([{ target: 'modRevision', key: 'a', is: '>', to: 1 }]))
  t.ok(when([{ target: 'createRevision', key: 'a', is: '<', to: 2 }]))
  t.notOk(
    when([
      { target: 'version', key: 'a', is: '=', to: 2 },
      { target: 'version', key: 'a', is: '!=', to: 2 },
    ]),
    'all must hold',
  )
})

t.test('operations of a transaction see the ones before them', async (t) => {
  const log = new Log()
  log.write(put('a'), put('b'))
  const { result, batch } = log.write(del('a', 'c'), get('a', 'z'), put('c'), get('a', 'z'))
  t.match(result, { results: [{ deleted: 2 }, {}, {}, {}] })
  if (result.kind !== 'transaction') throw new Error('it is a transaction')
  const seen = result.results.map((one) => (one.kind === 'range' ? itemsOf(one.result) : one.kind))
  t.same(seen, ['delete', [], 'put', ['c=c']])
  t.same(eventsOf([batch!]), ['2: -a', '2: -b', '2: c=c'])
})

t.test('a term guard holds against every other term', async (t) => {
  const log = new Log()
  const guarded = { compare: [], then: [put('a')], otherwise: [], term: term(3) }
  const command = { kind: 'transaction', transaction: guarded } as const
  t.equal(refusal(log.apply(command, 2).result), 'staleTerm')
  t.equal(refusal(log.apply(command, 3).result), 'transaction')
  t.equal(refusal(log.apply(command, 4).result), 'staleTerm')
  t.equal(log.store.revision, 1)
})

t.test('what is malformed is refused and changes nothing', async (t) => {
  const log = new Log()
  const bad: Record<string, Operation[]> = {
    'a key put twice': [put('a'), put('a', '2')],
    'put and deleted': [put('a'), del('a')],
    'deleted as part of a range': [del('a', 'b'), put('aa')],
    'an empty key': [put('')],
    'a lone surrogate': [put('\ud800')],
    'too many': Array.from({ length: maxOperationsPerTransaction + 1 }, (_, i) => put(`k${i}`)),
    'too large': [put('a', 'x'.repeat(900_000)), put('b', 'x'.repeat(900_000))],
  }
  for (const [name, operations] of Object.entries(bad)) {
    t.equal(refusal(log.write(...operations).result), 'malformed', name)
  }
  t.equal(log.store.revision, 0)
})

t.test('one operation that is refused refuses them all', async (t) => {
  const log = new Log()
  t.equal(refusal(log.write(put('a'), put('b', 'b', 'no-such-lease')).result), 'leaseUnknown')
  t.equal(refusal(log.write(put('a'), get('a', undefined, 7)).result), 'futureRevision')
  t.same(read(log.store, 'a'), [])
  for (let at = 0; at <= maxKeysDeletedTogether; at += 400) {
    log.write(...Array.from({ length: 400 }, (_, i) => put(`k${at + i}`)))
  }
  t.equal(refusal(log.write(put('a'), del('k', 'l')).result), 'tooManyKeys')
  t.same(read(log.store, 'a'), [])
})

t.test('the past can be read until it is compacted', async (t) => {
  const log = new Log()
  for (const value of ['1', '2', '3']) log.write(put('a', value))
  log.write(del('a'))
  log.write(put('b'))
  t.same(read(log.store, 'a', undefined, 2), ['a=2'])
  t.same(read(log.store, 'a', 'z', 4), [])
  t.equal(read(log.store, 'a', 'z', 6), 'futureRevision')
  t.equal(refusal(log.apply(compact(6)).result), 'futureRevision')
  t.match(log.apply(compact(3)).result, { kind: 'compacted', revision: 3 })
  t.equal(read(log.store, 'a', undefined, 2), 'compacted')
  t.same(read(log.store, 'a', undefined, 3), ['a=3'])
  t.match(log.apply(compact(1)).result, { revision: 3 }, 'what is forgotten stays forgotten')
  const watch = log.store.history(revision(3), 'a', 'z')
  t.same(watch.kind === 'history' && eventsOf(watch.batches), ['3: a=3', '4: -a', '5: b=b'])
  t.match(log.store.history(revision(2), 'a', 'z'), { kind: 'compacted', floor: 3 })
})

t.test('compaction gives memory back, in small steps', async (t) => {
  const log = new Log()
  for (let at = 0; at < 2000; at += 1) log.write(put(`k${at % 10}`, String(at)))
  for (let at = 0; at < 10; at += 1) log.write(del(`k${at}`))
  log.write(put('last'))
  log.apply(compact(log.store.revision))
  let steps = 0
  while (log.store.sweep(100)) steps += 1
  t.ok(steps >= 19, `${steps} steps`)
  t.equal(log.store.stats().liveKeys, 1)
  const chunks = [...log.store.snapshotChunks()]
  t.ok(chunks.reduce((sum, chunk) => sum + chunk.length, 0) < 100, 'deleted keys left nothing')
})

t.test('a key deleted and made again outlives the sweep of its deletion', async (t) => {
  const log = new Log()
  log.write(put('a', '1'))
  log.write(del('a'))
  log.write(put('a', '2'))
  log.apply(compact(3))
  log.store.sweep(100)
  t.same(read(log.store, 'a'), ['a=2'])
})

t.test('a deletion below the floor is not in a snapshot, swept or not', async (t) => {
  const log = new Log()
  log.write(put('a'))
  log.write(del('a'))
  log.write(put('b'))
  log.apply(compact(3))
  const restore = new SnapshotRestore()
  for (const chunk of log.store.snapshotChunks()) restore.push(chunk)
  const result = restore.finish()
  t.equal(result.kind, 'restored')
  t.same(result.kind === 'restored' && everything(result.store), everything(log.store))
})

t.test('history bounds itself, by revisions and by bytes', async (t) => {
  const byRevisions = new Log({ maxRevisions: 10, maxBytes: 1_000_000 })
  for (let at = 1; at <= 25; at += 1) byRevisions.write(put('a', String(at)))
  t.equal(byRevisions.store.floor, 16)
  t.same(read(byRevisions.store, 'a', undefined, 16), ['a=16'])
  const byBytes = new Log({ maxRevisions: 1000, maxBytes: 10_000 })
  for (let at = 1; at <= 25; at += 1) byBytes.write(put('a', 'x'.repeat(1000)))
  t.ok(byBytes.store.stats().historyBytes <= 10_000)
  t.ok(byBytes.store.floor > 10 && byBytes.store.floor < 25)
})

t.test('a watch catches up a stretch at a time, without gap or repeat', async (t) => {
  const log = new Log()
  for (let at = 1; at <= 3000; at += 1) log.write(put(at % 3 === 0 ? 'c' : `a${at % 7}`, `${at}`))
  const seen: number[] = []
  let from = revision(0)
  let calls = 0
  while (from <= log.store.revision) {
    const answer = log.store.history(from, 'a', 'b')
    if (answer.kind !== 'history') throw new Error('nothing was compacted')
    seen.push(...answer.batches.map((batch) => batch.revision))
    from = answer.next
    calls += 1
  }
  t.ok(calls > 1)
  t.same(
    seen,
    Array.from({ length: 3000 }, (_, i) => i + 1).filter((at) => at % 3 !== 0),
  )
  t.same(log.store.history(revision(9999), 'a', 'b'), { kind: 'history', batches: [], next: 9999 })
})

t.test('a long range is cut, and can be gone on with', async (t) => {
  const log = new Log()
  const value = 'x'.repeat(1_000_000)
  for (let at = 0; at < 7; at += 1) log.write(put(`k${at}`, value))
  const first = log.store.range({ key: 'k', rangeEnd: 'l' })
  if (first.kind !== 'range') throw new Error('it can be read')
  t.ok(first.result.more)
  t.equal(first.result.items.length, Math.floor(maxRangeBytes / 1_000_002))
  const rest = log.store.range({ key: `${first.result.items.at(-1)?.key}\0`, rangeEnd: 'l' })
  t.match(rest, { result: { more: false, items: { length: 3 } } })
  t.match(log.store.range({ key: 'k', rangeEnd: 'l', limit: 2 }), {
    result: { more: true, items: { length: 2 } },
  })
  const keys = log.store.range({ key: 'k', rangeEnd: 'l', keysOnly: true })
  t.match(keys, { result: { more: false, items: { length: 7 } } })
})

t.test('many reads in one transaction share what one may answer', async (t) => {
  const log = new Log()
  log.write(put('big', 'x'.repeat(1_000_000)))
  const gets = Array.from(
    { length: 100 },
    () => ({ kind: 'range', range: { key: 'big' } }) as const,
  )
  const { result } = log.apply(transaction(gets))
  if (result.kind !== 'transaction') throw new Error('it is well-formed')
  const items = result.results.map((one) => (one.kind === 'range' ? one.result.items.length : 0))
  t.equal(
    items.reduce((sum, count) => sum + count, 0),
    Math.floor(maxRangeBytes / 1_000_003),
  )
  t.match(
    result.results.at(-1),
    { result: { items: [], more: true } },
    'and say that there is more',
  )
})

t.test('a lease takes its keys with it, a bounded number at a time', async (t) => {
  const log = new Log()
  t.equal(refusal(log.apply(grant('l')).result), 'leaseGranted')
  t.equal(refusal(log.apply(grant('l')).result), 'leaseExists')
  for (let at = 0; at < 1000; at += 500) {
    log.write(...Array.from({ length: 500 }, (_, i) => put(`k${at + i}`, 'x', 'l')))
  }
  log.write(put('k1', 'freed'), put('other', 'x'))
  t.equal(refusal(log.apply(revoke('l', 5), 4).result), 'staleTerm')
  t.match(log.apply(revoke('l', 5), 5).result, { kind: 'leaseRevoked', left: 487 })
  t.equal(log.store.lease('l'), undefined, 'no keep-alive saves it now')
  t.equal(refusal(log.apply(transaction([put('late', 'x', 'l')]), 5).result), 'leaseUnknown')
  t.match(log.apply(revoke('l'), 5).result, { left: 0 })
  t.equal(refusal(log.apply(revoke('l'), 5).result), 'leaseUnknown')
  t.same(read(log.store, 'a', 'z'), ['k1=freed', 'other=x'])
  t.same(log.store.leasesAfter('', 9), [])
})

t.test('a key hangs on the last lease it was put with', async (t) => {
  const log = new Log()
  log.apply(grant('first'))
  log.apply(grant('second'))
  log.write(put('a', '1', 'first'))
  log.write(put('a', '2', 'second'))
  t.match(log.apply(revoke('first')).result, { left: 0 })
  t.same(read(log.store, 'a'), ['a=2'])
  t.same(eventsOf([log.apply(revoke('second')).batch!]), ['3: -a'])
})

t.test('a value kept is not a window on the log entry it came in', async (t) => {
  const log = new Log()
  const buffer = new Uint8Array(1_000_000).fill(7)
  log.write({ kind: 'put', key: 'a', value: buffer.subarray(10, 20) })
  const answer = log.store.range({ key: 'a' })
  t.equal(answer.kind === 'range' && answer.result.items[0]?.value.buffer.byteLength, 10)
})
