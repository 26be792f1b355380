import t from 'tap'
import { index } from '../../../src/base/ids.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { identityOf, Wal } from '../../../src/node/wal/wal.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import {
  codeOf,
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
  textOf,
} from './fixture.ts'
import { wrappedDisk } from '../../support/wrapped-disk.ts'

t.test(
  'a new member starts with nothing, and finds again what it was told is durable',
  async (t) => {
    const disk = newDisk()
    t.equal(await identityOf(disk.mount()), undefined, 'an empty directory is a new member')
    const { wal, restored } = await Wal.create(disk.mount(), identity, options())
    t.same(restored, {
      hardState: { term: 0, vote: 0, commit: 0 },
      snapshot: { ...restored.snapshot, index: 0, term: 0 },
      entries: [],
    })
    const change = {
      kind: 'simple',
      steps: [{ kind: 'addLearner', id: identity.memberId }],
    } as const
    const config = { kind: 'config', index: index(4), term: entry(1, 2).term, change } as const
    await wal.append({ entries: entries(1, 3, 2), hardState: hard(2, 7, 0) })
    await wal.append({ entries: [config], hardState: hard(2, 7, 3) })

    disk.losePower()
    t.same(await identityOf(disk.mount()), identity)
    const again = await open(disk.mount())
    t.same(again.restored.entries, [...entries(1, 3, 2), config])
    t.same(again.restored.hardState, hard(2, 7, 3))
    t.same(again.repairs, [])
  },
)

t.test('what voids entries stays void after a restart', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 5, 1) })
  await wal.append({ truncateFrom: index(3), entries: entries(3, 4, 2), hardState: hard(2, 0, 2) })
  disk.losePower()
  const { restored } = await open(disk.mount())
  t.same(restored.entries, [...entries(1, 2, 1), ...entries(3, 4, 2)])
})

t.test('appends that come together share one write and one sync', async (t) => {
  const counted = counting(newDisk().mount())
  const { wal } = await Wal.create(counted.disk, identity, options({ segmentBytes: 1 << 20 }))
  const before = { ...counted.calls }
  await Promise.all(entries(1, 500).map((one) => wal.append({ entries: [one] })))
  // The spare segment, made meanwhile, has a write and a sync of its own.
  t.ok(counted.calls.sync - before.sync <= 3, 'not one sync for each')
  t.ok(counted.calls.write - before.write <= 3, 'not one write for each')
  await wal.close()
})

t.test('nothing is acknowledged before its sync is over', async (t) => {
  const gate = Promise.withResolvers<void>()
  const sim = newDisk()
  const first = await Wal.create(sim.mount(), identity, options())
  await first.wal.close()
  const counted = counting(sim.mount())
  const { wal } = await open(counted.disk)
  counted.hold(gate.promise)
  const written = counted.calls.write
  let acknowledged = false
  const done = wal.append({ entries: [entry(1)] }).then(() => (acknowledged = true))
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve()
  t.ok(counted.calls.write > written, 'it was written')
  t.notOk(acknowledged, 'and is not acknowledged')
  gate.resolve()
  await done
  t.ok(acknowledged)
})

t.test('a commit index nobody waits for costs no sync, and goes with the next entry', async (t) => {
  const sim = newDisk()
  const counted = counting(sim.mount())
  const { wal } = await Wal.create(counted.disk, identity, options())
  await wal.append({ entries: entries(1, 2), hardState: hard(1, 7, 0) })
  const { write } = counted.calls
  await wal.append({ entries: [], hardState: hard(1, 7, 2), mustSync: false })
  t.equal(counted.calls.write, write)
  await wal.append({ entries: [entry(3)] })
  sim.losePower()
  t.same((await open(sim.mount())).restored.hardState, hard(1, 7, 2))
})

t.test('an append that only waits for the one before it writes nothing of its own', async (t) => {
  const sim = newDisk()
  const gate = Promise.withResolvers<void>()
  const counted = counting(sim.mount())
  const { wal } = await Wal.create(counted.disk, identity, options())
  await wal.append({ entries: entries(1, 1) })
  counted.hold(gate.promise)
  const { write } = counted.calls
  const first = wal.append({ entries: [entry(2)] })
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve()
  const waiting = wal.append({ entries: [], mustSync: false })
  gate.resolve()
  await Promise.all([first, waiting])
  t.equal(counted.calls.write, write + 1)
  t.equal(wal.failure, undefined)
})

t.test('the log runs over many segments, and lets go of those two snapshots cover', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (const one of entries(1, 60, 1, 200)) await wal.append({ entries: [one] })
  await wal.append({ entries: [], hardState: hard(1, 7, 60) })
  const segments = async () => (await disk.mount().list('wal/segments')).length

  await wal.writeSnapshot(snapshotAt(30), [utf8('state at '), utf8('30')])
  await wal.release(index(30))
  const before = (await wal.readSnapshot(index(30))) !== undefined
  t.ok(before)
  await wal.writeSnapshot(snapshotAt(50), [utf8('state at 50')])
  await wal.release(index(50))
  await wal.close()

  t.ok((await segments()) < 10, 'old segments are gone')
  const again = await open(disk.mount(), small())
  t.same(again.restored.snapshot, snapshotAt(50))
  t.equal(again.restored.entries.at(-1)?.index, 60)
  const first = again.restored.entries[0]?.index ?? 0
  t.ok(first > 1 && first <= 31, 'the log reaches back to the older snapshot, and no further')
  t.equal(await textOf(again.wal, 50), 'state at 50')
  t.equal(await textOf(again.wal, 30), 'state at 30')
})

t.test('one snapshot alone releases nothing: it could be the one that decays', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (const one of entries(1, 40, 1, 200)) await wal.append({ entries: [one] })
  await wal.writeSnapshot(snapshotAt(40), [utf8('state at 40')])
  await wal.release(index(40))
  await wal.close()
  const mount = disk.mount()
  const [name] = await mount.list('wal/snapshots')
  disk.corrupt(`wal/snapshots/${name}`, 70)
  const { restored, repairs } = await open(mount, small({ entriesBeforeSnapshot: 0 }))
  t.equal(restored.snapshot.index, 0)
  t.same(indexesOf(restored.entries), indexesOf(entries(1, 40)))
  t.match(repairs, [/damaged/])
})

t.test('opening leaves the last two snapshots that are whole', async (t) => {
  for (const isSpoilt of [false, true]) {
    const disk = newDisk()
    const { wal } = await Wal.create(disk.mount(), identity, small())
    for (const one of entries(1, 40, 1, 200)) await wal.append({ entries: [one] })
    for (const at of [10, 20, 30, 40]) await wal.writeSnapshot(snapshotAt(at), [utf8(`at ${at}`)])
    await wal.close()
    const mount = disk.mount()
    const names = await mount.list('wal/snapshots')
    t.equal(names.length, 4, 'a process that dies before it removes them leaves more')
    if (isSpoilt) disk.corrupt(`wal/snapshots/${names[3]}`, 70)
    const [older, newest] = isSpoilt ? [20, 30] : [30, 40]
    const again = await open(mount, small())
    t.equal(again.restored.snapshot.index, newest)
    t.equal(again.restored.entries.at(-1)?.index, 40)
    t.same(await mount.list('wal/snapshots'), isSpoilt ? names.slice(1, 3) : names.slice(2))
    t.equal(await textOf(again.wal, older), `at ${older}`)
    t.equal(await textOf(again.wal, newest), `at ${newest}`)
  }
})

t.test('a snapshot from another member takes the place of the whole log', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (const one of entries(1, 30, 1, 200)) await wal.append({ entries: [one] })
  const stage = await wal.stageSnapshot(snapshotAt(100, 4))
  await stage.write(utf8('state at 100'))
  await stage.end()
  t.equal(wal.newestSnapshot, undefined, 'until consensus takes it, it does not count')
  await wal.append({ entries: [], snapshot: snapshotAt(100, 4), hardState: hard(4, 0, 100) })
  await wal.append({ entries: entries(101, 103, 4) })
  await wal.release(index(100))
  disk.losePower()

  const again = await open(disk.mount(), small())
  t.same(again.restored.snapshot, snapshotAt(100, 4))
  t.same(indexesOf(again.restored.entries), [101, 102, 103])
  t.equal(await textOf(again.wal, 100), 'state at 100')
  t.ok((await disk.mount().list('wal/segments')).length <= 3, 'the voided log is released')
})

t.test('a snapshot that arrived and was never taken is forgotten', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  const stage = await wal.stageSnapshot(snapshotAt(100, 4))
  await stage.write(utf8('state'))
  await stage.end()
  disk.killProcess()
  const { restored } = await open(disk.mount())
  t.equal(restored.snapshot.index, 0)
  t.same(indexesOf(restored.entries), [1, 2, 3])
})

t.test('cut off between taking a snapshot and noting it, the snapshot wins', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3), hardState: hard(2, 7, 3) })
  // The name is in place and the log says nothing of it yet.
  await wal.writeSnapshot(snapshotAt(100, 4), [utf8('state at 100')])
  disk.killProcess()
  const { wal: after, restored } = await open(disk.mount())
  t.same(restored.entries, [])
  t.same(restored.hardState, hard(4, 0, 100), 'and no vote is made up for its term')
  await after.append({ entries: [entry(101, 4)] })
  disk.killProcess()
  t.same(indexesOf((await open(disk.mount())).restored.entries), [101])
})

t.test('the source of a snapshot fails: there is no snapshot, and the log lives on', async (t) => {
  const { wal } = await Wal.create(newDisk().mount(), identity, options())
  const source = function* () {
    yield utf8('some')
    throw new Error('no more')
  }
  await t.rejects(wal.writeSnapshot(snapshotAt(1), source()), { message: 'no more' })
  t.equal(wal.newestSnapshot, undefined)
  await wal.append({ entries: [entry(1)] })
})

t.test('a directory is refused to everyone but its own member', async (t) => {
  const disk = newDisk()
  t.equal(await codeOf(open(disk.mount())), 'JGD_WAL_FOREIGN', 'nobody returns to an empty one')
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.close()
  t.equal(await codeOf(Wal.create(disk.mount(), identity, options())), 'JGD_WAL_FOREIGN')
  const other = { ...identity, incarnation: '00000000000000000000000000000001' }
  t.equal(await codeOf(Wal.open(disk.mount(), other, options())), 'JGD_WAL_FOREIGN')

  const mount = disk.mount()
  await mount.remove('wal/identity')
  t.equal(await identityOf(mount), undefined, 'a making cut short counts as empty')
  await Wal.create(mount, other, options())
  t.same(await identityOf(mount), other)
})

t.test('a log whose identity is gone is damaged, not new', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: [entry(1)] })
  await wal.close()
  const mount = disk.mount()
  await mount.remove('wal/identity')
  t.equal(await codeOf(identityOf(mount)), 'JGD_WAL_DAMAGED')
  t.equal(await codeOf(Wal.create(mount, identity, options())), 'JGD_WAL_DAMAGED')
})

t.test('a closed log takes nothing more', async (t) => {
  const { wal } = await Wal.create(newDisk().mount(), identity, options())
  const last = wal.append({ entries: [entry(1)] })
  await wal.close()
  await last
  t.equal(await codeOf(wal.append({ entries: [entry(2)] })), 'JGD_SHUTTING_DOWN')
})

t.test('an entry longer than a segment has a segment of its own', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  await wal.append({ entries: [entry(1)] })
  await wal.append({ entries: [entry(2, 1, 100_000)] })
  await wal.append({ entries: [entry(3)] })
  disk.losePower()
  t.same((await open(disk.mount(), small())).restored.entries, [
    entry(1),
    entry(2, 1, 100_000),
    entry(3),
  ])
})

/** Counts writes and syncs of files; after `hold`, a sync ends only once `gate` has. */
function counting(disk: Disk) {
  let gate = Promise.resolve()
  const calls = { write: 0, sync: 0 }
  const counted = wrappedDisk(disk, (file) => ({
    write: (offset, bytes) => {
      calls.write += 1
      return file.write(offset, bytes)
    },
    sync: async () => {
      calls.sync += 1
      await gate
      await file.sync()
    },
  }))
  const hold = (until: Promise<void>): void => {
    gate = until
  }
  return { disk: counted, calls, hold }
}
