import t from 'tap'
import { bytesHeld, hold, isHeld } from '../../../src/core/store/held.ts'
import { Store } from '../../../src/core/store/store.ts'
import { SnapshotRestore } from '../../../src/core/store/snapshot-restore.ts'
import { index, term } from '../../../src/base/ids.ts'

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
const long = new Uint8Array(100_000).fill(0xe9)

t.test('whatever bytes are held come back, short or long', (t) => {
  for (const bytes of [new Uint8Array(0), everyByte, long, long.subarray(0, 4096)]) {
    const held = hold(bytes)
    t.equal(held.length, bytes.length, 'its length is the bytes’')
    t.same([...bytesHeld(held)], [...bytes])
    t.ok(isHeld(held, bytes))
    t.notOk(isHeld(held, Uint8Array.of(...bytes.subarray(0, 3), 1)))
  }
  t.notOk(isHeld(hold(everyByte), everyByte.with(200, 0)))
  t.end()
})

t.test('neither a segment nor a reader’s bytes are the store’s', (t) => {
  const segment = new Uint8Array(200_000)
  const store = new Store()
  const written = [segment.subarray(10, 20), segment.subarray(1000, 101_000)]
  const then = written.map((value, at) => ({ kind: 'put', key: `${at}`, value }) as const)
  const command = {
    kind: 'transaction',
    transaction: { compare: [], then, otherwise: [] },
  } as const
  store.apply(command, { index: index(1), term: term(1) })
  segment.fill(1)
  store.get('0')?.value.fill(2)
  t.same([...(store.get('0')?.value ?? [])], Array(10).fill(0))
  t.ok(store.get('1')?.value.every((byte) => byte === 0))
  t.end()
})

t.test('a snapshot carries every byte', (t) => {
  const store = new Store()
  const then = [everyByte, long].map((value, at) => ({ kind: 'put', key: `${at}`, value }) as const)
  const command = {
    kind: 'transaction',
    transaction: { compare: [], then, otherwise: [] },
  } as const
  store.apply(command, { index: index(1), term: term(1) })
  const restore = new SnapshotRestore()
  for (const piece of store.snapshotChunks()) restore.push(piece)
  const restored = restore.finish()
  if (restored.kind === 'fault') throw new Error(restored.reason)
  t.same(restored.store.get('0'), store.get('0'))
  t.same(restored.store.get('1'), store.get('1'))
  t.same([...(restored.store.get('0')?.value ?? [])], [...everyByte])
  t.end()
})
