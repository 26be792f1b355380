/**
 * The store against a naive one that keeps a whole copy of everything at each revision; and
 * against itself, restored from snapshots taken at any moment and read while commands go on.
 */
import t from 'tap'
import fc from 'fast-check'
import { revision } from '../../../src/base/ids.ts'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { SnapshotRestore } from '../../../src/core/store/snapshot-restore.ts'
import type { Command, Operation } from '../../../src/core/store/types.ts'
import type { HistoryLimits } from '../../../src/core/store/versions.ts'
import { compact, del, everything, grant, Log, put, read, revoke, transaction } from './fixture.ts'

const key = fc.constantFrom('a', 'ab', 'b', 'ba', 'c', 'd', 'é')
const lease = fc.constantFrom('l1', 'l2')
const write: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(key, fc.nat(99)).map(([at, value]) => put(at, String(value))),
  fc.tuple(key, fc.nat(99), lease).map(([at, value, id]) => put(at, String(value), id)),
  key.map((at) => del(at)),
  fc.tuple(key, key).map(([from, to]) => del(from, to)),
)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.array(write, { minLength: 1, maxLength: 3 }).map((all) => transaction(all)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(key, write, write)
      .map(([at, then, otherwise]) =>
        transaction([then], [{ target: 'version', key: at, is: '>', to: 1 }], [otherwise]),
      ),
  },
  { weight: 2, arbitrary: fc.nat(40).map(compact) },
  { weight: 2, arbitrary: lease.map((id) => grant(id)) },
  { weight: 1, arbitrary: lease.map((id) => revoke(id)) },
)

interface ModelItem {
  value: string
  version: number
  lease: string | undefined
}

/** As plain as can be: a copy of everything for each revision. */
class Model {
  readonly states: Map<string, ModelItem>[] = [new Map()]
  readonly leases = new Set<string>()
  floor = 0

  get now(): Map<string, ModelItem> {
    return this.states.at(-1) as Map<string, ModelItem>
  }

  apply(one: Command): void {
    if (one.kind === 'leaseGrant') this.leases.add(one.id)
    else if (one.kind === 'compact') {
      if (one.revision < this.states.length) this.floor = Math.max(this.floor, one.revision)
    } else if (one.kind === 'leaseRevoke') {
      const keys = [...this.now].filter(([, item]) => item.lease === one.id).map(([at]) => at)
      if (this.leases.delete(one.id)) this.#run(keys.map((at) => del(at)))
    } else {
      const { compare, then, otherwise } = one.transaction
      const holds = compare.every(
        (c) => c.target === 'version' && (this.now.get(c.key)?.version ?? 0) > c.to,
      )
      if ([then, otherwise].some((branch) => writesTwice(branch))) return
      this.#run(holds ? then : otherwise)
    }
  }

  #run(operations: readonly Operation[]): void {
    const next = new Map(this.now)
    let changed = false
    for (const one of operations) {
      if (one.kind === 'put') {
        if (one.lease !== undefined && !this.leases.has(one.lease)) return
        const version = (next.get(one.key)?.version ?? 0) + 1
        next.set(one.key, { value: fromUtf8(one.value), version, lease: one.lease })
        changed = true
      } else if (one.kind === 'delete') {
        for (const at of next.keys()) if (covers(one, at)) changed = next.delete(at)
      }
    }
    if (changed) this.states.push(next)
  }
}

const covers = (one: { key: string; rangeEnd?: string }, at: string): boolean =>
  one.rangeEnd === undefined ? at === one.key : at >= one.key && at < one.rangeEnd

function writesTwice(operations: readonly Operation[]): boolean {
  const puts = operations.flatMap((one) => (one.kind === 'put' ? [one.key] : []))
  const deletes = operations.filter((one) => one.kind === 'delete')
  return (
    new Set(puts).size < puts.length || puts.some((at) => deletes.some((one) => covers(one, at)))
  )
}

const show = (state: Map<string, ModelItem>): string[] =>
  [...state]
    .map(([at, { value }]) => `${at}=${value}`)
    .toSorted((a, b) => (a.split('=')[0]! < b.split('=')[0]! ? -1 : 1))

t.test('at every revision that can be read, the store is what the plain model is', async (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: 'max' }), (commands) => {
      const log = new Log()
      const model = new Model()
      for (const one of commands) {
        log.apply(one)
        model.apply(one)
      }
      t.equal(log.store.revision, model.states.length - 1)
      t.equal(log.store.floor, model.floor)
      for (let at = 1; at < model.states.length; at += 1) {
        const expected = at < model.floor ? 'compacted' : show(model.states[at]!)
        t.same(read(log.store, '\0', '\uffff', at), expected)
      }
      // The events from the floor on lead from the floor's state to the present one.
      const replayed = new Map(model.states[Math.max(0, model.floor - 1)])
      const answer = log.store.history(revision(model.floor), '\0', '\uffff')
      if (answer.kind !== 'history') throw new Error('the floor itself can be read')
      for (const { events } of answer.batches) {
        for (const event of events) {
          const at = event.kind === 'put' ? event.item.key : event.key
          if (event.kind === 'delete') replayed.delete(at)
          else {
            const { value, version } = event.item
            replayed.set(at, { value: fromUtf8(value), version, lease: undefined })
          }
        }
      }
      t.same(show(replayed), show(model.now))
    }),
    { numRuns: 150 },
  )
})

t.test(
  'a snapshot read in slices, while commands go on, restores the moment it was begun',
  async (t) => {
    const limits: HistoryLimits = { maxRevisions: 12, maxBytes: 100_000 }
    const setup = fc.record({
      before: fc.array(command, { maxLength: 50, size: 'max' }),
      during: fc.array(command, { maxLength: 50, size: 'max' }),
      chunkBytes: fc.integer({ min: 1, max: 200 }),
      pieceBytes: fc.integer({ min: 1, max: 100 }),
    })
    fc.assert(
      fc.property(setup, ({ before, during, chunkBytes, pieceBytes }) => {
        const log = new Log(limits)
        for (const one of before) log.apply(one)
        const moment = everything(log.store)
        const reader = log.store.snapshotChunks(chunkBytes)
        const restore = new SnapshotRestore(limits)
        const rest = during[Symbol.iterator]()
        for (const chunk of reader) {
          for (let at = 0; at < chunk.length; at += pieceBytes) {
            t.equal(restore.push(chunk.subarray(at, at + pieceBytes)), undefined)
          }
          const next = rest.next()
          if (next.done !== true) log.apply(next.value)
          log.store.sweep(1000)
        }
        const result = restore.finish()
        if (result.kind === 'fault') throw new Error(result.reason)
        t.same(everything(result.store), moment)
      }),
      { numRuns: 150 },
    )
  },
)

t.test('a restored store goes on exactly as the one it came from', async (t) => {
  const limits: HistoryLimits = { maxRevisions: 12, maxBytes: 3000 }
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 40, size: 'max' }),
      fc.array(command, { maxLength: 40, size: 'max' }),
      (before, after) => {
        const log = new Log(limits)
        for (const one of before) log.apply(one)
        const restore = new SnapshotRestore(limits)
        for (const chunk of log.store.snapshotChunks()) restore.push(chunk)
        const result = restore.finish()
        if (result.kind === 'fault') throw new Error(result.reason)
        for (const one of after) {
          const applied = log.apply(one)
          const { appliedIndex, appliedTerm } = log.store
          t.same(result.store.apply(one, { index: appliedIndex, term: appliedTerm }), applied)
        }
        t.same(everything(result.store), everything(log.store))
      },
    ),
    { numRuns: 150 },
  )
})

t.test('bytes that are no snapshot give a fault, and never a store that cannot be', async (t) => {
  let faults = 0
  const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(
      fc.array(command, { minLength: 5, maxLength: 30, size: 'max' }),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (commands, changes) => {
        const log = new Log()
        for (const one of commands) log.apply(one)
        const [chunk] = [...log.store.snapshotChunks()]
        for (const [at, bits] of changes) chunk![at % chunk!.length]! ^= bits
        const restore = new SnapshotRestore()
        restore.push(chunk!)
        const result = restore.finish()
        if (result.kind === 'fault') faults += 1
        else everything(result.store)
      },
    ),
    { numRuns: 1000 },
  )
  t.ok(faults > 200, `${faults} faults`)
  const restore = new SnapshotRestore()
  t.match(restore.push(Uint8Array.of(2, 0, 0, 0, 1, 9)), { cause: 'version' })
  t.match(new SnapshotRestore().finish(), { cause: 'damaged' })
})

t.test('a snapshot given up lets go of the past', async (t) => {
  const log = new Log({ maxRevisions: 5, maxBytes: 1_000_000 })
  log.write(put('a'))
  const given = log.store.snapshotChunks(1)
  given.next()
  for (let at = 0; at < 50; at += 1) log.write(put('a', String(at)))
  t.notOk(log.store.sweep(1000))
  given.return()
  let swept = 0
  while (log.store.sweep(1)) swept += 1
  t.ok(swept > 30, `${swept} swept`)
})
