/** What a log must not forget, at the moments at which others' logs did. */
import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { index } from '../../../src/base/ids.ts'
import { Wal } from '../../../src/node/wal/wal.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import {
  codeOf,
  cutFrom,
  entries,
  entry,
  hard,
  identity,
  indexesOf,
  newDisk,
  open,
  options,
  small,
  snapshotAt,
} from './fixture.ts'
import { wrappedDisk } from '../../support/wrapped-disk.ts'

const first = 'wal/segments/0000000000000001.log'
const second = 'wal/segments/0000000000000002.log'

type Before = (call: 'write' | 'sync', path: string, offset: number) => Promise<void> | void

/** Calls `before` as a file is about to be written or synced. */
function interrupted(disk: Disk, before: Before): Disk {
  return wrappedDisk(disk, (file) => ({
    write: async (offset, bytes) => {
      await before('write', file.path, offset)
      await file.write(offset, bytes)
    },
    sync: async () => {
      await before('sync', file.path, 0)
      await file.sync()
    },
  }))
}

t.test('segments are let go only once the vote is on disk after them', async (t) => {
  const disk = newDisk()
  let isTaken = false
  const powerCut = Promise.withResolvers<void>()
  const mount = interrupted(disk.mount(), async (call, path, offset) => {
    // The first frame of the next segment, with vote and snapshot, is about to be written.
    if (!isTaken || call !== 'write' || path !== second || offset !== 512) return
    await wal.release(index(200))
    disk.losePower()
    powerCut.resolve()
  })
  const { wal } = await Wal.create(mount, identity, small())
  await wal.append({ entries: entries(1, 5), hardState: hard(3, 7, 5) })
  const stage = await wal.stageSnapshot(snapshotAt(200, 2))
  await stage.write(utf8('state at 200'))
  await stage.end()
  isTaken = true
  const hardState = hard(4, 0, 200)
  const big = entries(201, 203, 3, 600)
  void wal.append({ entries: big, snapshot: snapshotAt(200, 2), hardState })
  await powerCut.promise
  const { restored } = await open(disk.mount(), small())
  t.match(restored.hardState, { term: 3, vote: 7 }, 'its vote in term 3 is not forgotten')
  t.equal(restored.snapshot.index, 200)
})

t.test('a segment begins with the vote, and may be all that is left of the log', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  await wal.append({ entries: entries(1, 3), hardState: hard(5, 7, 3) })
  for (const one of entries(4, 40, 5, 200)) await wal.append({ entries: [one] })
  for (const at of [37, 38]) {
    await wal.writeSnapshot(snapshotAt(at, 5), [utf8('state')])
    await wal.release(index(at))
  }
  disk.losePower()
  const { restored } = await open(disk.mount(), small({ entriesBeforeSnapshot: 1000 }))
  t.ok((restored.entries[0]?.index ?? 0) > 3, 'the segment in which it voted is gone')
  t.match(restored.hardState, { term: 5, vote: 7 })
})

t.test('a snapshot that waits behind other appends is in place before it is noted', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  const stage = await wal.stageSnapshot(snapshotAt(100, 2))
  await stage.write(utf8('state at 100'))
  await stage.end()
  await Promise.all([
    wal.append({ entries: entries(1, 2) }),
    wal.append({ entries: [], snapshot: snapshotAt(100, 2), hardState: hard(2, 0, 100) }),
  ])
  disk.losePower()
  const { restored } = await open(disk.mount())
  t.match(restored, { snapshot: { index: 100, term: 2 }, entries: [] })
})

t.test('a log that parts from its snapshot gives way to it', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 10), hardState: hard(1, 7, 2) })
  // Another member's, of what was committed at 5. The power goes before the log notes it.
  await wal.writeSnapshot(snapshotAt(5, 3), [utf8('state at 5')])
  disk.losePower()
  const { restored } = await open(disk.mount())
  t.match(restored, { snapshot: { index: 5, term: 3 }, hardState: { term: 3, commit: 5 } })
  t.same(restored.entries, [], "what follows entry 5 of term 1 is nobody's")
})

t.test('a log that ends before what it knows to be committed is damaged', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3), hardState: hard(1, 7, 5) })
  await wal.close()
  t.equal(await codeOf(open(disk.mount())), 'JGD_WAL_DAMAGED')
})

t.test('what a torn write left is gone before anything is written over it', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: [entry(1)] })
  const used = async (): Promise<number> =>
    (await disk.mount().readFile(first)).findLastIndex((byte) => byte !== 0) + 1
  const before = await used()
  const { wal: again } = await open(disk.mount())
  await again.append({ entries: [entry(2, 1, 3000)] })
  const after = await used()
  await cutFrom(disk.mount(), first, after - 600)
  t.ok((await used()) > before + 2000, 'most of the second write is there')
  const { restored } = await open(disk.mount())
  t.same(indexesOf(restored.entries), [1])
  // A short frame here would leave the rest of the long one after it, to be read as damage, or
  // worse: as frames of an entry's own making.
  t.equal(await used(), before, 'nothing is left of it')
})

t.test('a sync that failed is not asked again, whatever it would say', async (t) => {
  const disk = newDisk()
  let syncs: number | undefined
  const mount = interrupted(disk.mount(), (call, path) => {
    if (syncs === undefined || call !== 'sync' || path !== first) return
    syncs += 1
    // A second sync would succeed: the kernel has let go of the pages, and has nothing to write.
    disk.faults.failedSync = syncs === 1 ? 1 : 0
  })
  const { wal } = await Wal.create(mount, identity, options())
  syncs = 0
  const done = await codeOf(wal.append({ entries: [entry(1)] }))
  disk.faults.failedSync = 0
  disk.losePower()
  const { restored } = await open(disk.mount())
  const isThere = restored.entries.length === 1
  t.ok(isThere || done !== undefined, 'nothing acknowledged is lost')
  t.equal(done, 'JGD_DISK_FAILED')
  t.equal(syncs, 1)
})
