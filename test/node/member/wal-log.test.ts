/** Which snapshots a member's log keeps: its own, and those that others sent. */
import t from 'tap'
import { utf8 } from '../../../src/base/bytes.ts'
import { type MemberLog } from '../../../src/node/member/member-log.ts'
import { walLog } from '../../../src/node/member/wal-log.ts'
import { Wal } from '../../../src/node/wal/wal.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import {
  codeOf,
  entries,
  hard,
  identity,
  indexesOf,
  newDisk,
  open,
  small,
  snapshotAt,
  textOf,
} from '../wal/fixture.ts'

async function newLog(disk: Disk): Promise<MemberLog> {
  const { wal } = await Wal.create(disk, identity, small())
  return walLog(wal)
}

/** Takes one of `at`, whole, and notes it as the log's beginning. */
async function receive(log: MemberLog, at: number): Promise<void> {
  const receiver = await log.receiveSnapshot(snapshotAt(at))
  await receiver.write(utf8(`state at ${at}`))
  await receiver.finish()
  const hardState = hard(1, 0, at)
  await log.append({ entries: [], snapshot: snapshotAt(at), hardState, mustSync: true })
  await log.restored(snapshotAt(at))
}

/** The indexes of those that are there. */
const kept = async (disk: Disk): Promise<number[]> =>
  (await disk.list('wal/snapshots')).map((name) => Number.parseInt(name, 10))

const pathOf = async (disk: Disk, at: number): Promise<string> => {
  const name = (await disk.list('wal/snapshots')).find((each) => Number.parseInt(each, 10) === at)
  return `wal/snapshots/${name}`
}

/** A follower far behind under load is sent one after the other, and has no time for one of its own. */
t.test('of those that others sent the last two stay, and no more', async (t) => {
  const disk = newDisk()
  const mount = disk.mount()
  const log = await newLog(mount)
  for (const at of [100, 200, 300, 400]) {
    await receive(log, at)
    const from = at + 1
    await log.append({ entries: entries(from, from + 20, 1, 200), mustSync: true })
    t.ok((await kept(mount)).length <= 2)
  }
  t.same(await kept(mount), [300, 400])
  t.ok((await mount.list('wal/segments')).length <= 5, 'nor the log that they replaced')
  await log.close()
  const { restored, wal } = await open(mount, small())
  t.equal(restored.snapshot.index, 400)
  t.equal(restored.entries.at(-1)?.index, 421)
  t.equal(await textOf(wal, 400), 'state at 400')
})

t.test('one that is being sent on stays until it has been', async (t) => {
  const disk = newDisk()
  const mount = disk.mount()
  const log = await newLog(mount)
  await receive(log, 100)
  const pieces = log.readSnapshot(snapshotAt(100))[Symbol.asyncIterator]()
  t.match(await pieces.next(), { value: utf8('state at 100') })
  for (const at of [200, 300]) await receive(log, at)
  t.same(await kept(mount), [100, 200, 300])
  await pieces.next()
  await receive(log, 400)
  t.same(await kept(mount), [300, 400])
})

t.test('its own that decays gives way to the one it was sent', async (t) => {
  const disk = newDisk()
  const mount = disk.mount()
  const log = await newLog(mount)
  for (const at of [100, 200]) await receive(log, at)
  await log.append({
    entries: entries(201, 230, 1, 200),
    hardState: hard(1, 0, 230),
    mustSync: true,
  })
  await log.writeSnapshot(snapshotAt(220), [utf8('state at 220')])
  t.same(await kept(mount), [200, 220])
  await log.close()
  disk.corrupt(await pathOf(mount, 220), 70)
  const { restored, repairs } = await open(mount, small())
  t.equal(restored.snapshot.index, 200)
  t.same(indexesOf(restored.entries), indexesOf(entries(201, 230)))
  t.match(repairs, [/damaged/])
  t.same(await kept(mount), [200])
})

t.test('what a member cannot go on from is left for whoever looks', async (t) => {
  const disk = newDisk()
  const mount = disk.mount()
  const log = await newLog(mount)
  for (const at of [100, 200]) await receive(log, at)
  await log.close()
  disk.corrupt(await pathOf(mount, 200), 70)
  t.equal(await codeOf(open(mount, small())), 'JGD_WAL_DAMAGED')
  t.same(await kept(mount), [100, 200])
})

/** All members come to write their own at the same entries, and a leader sends the one it has. */
t.test('its own and one that it is sent may have one name', async (t) => {
  for (const isOwnFirst of [true, false]) {
    const disk = newDisk()
    const mount = disk.mount()
    const log = await newLog(mount)
    await log.append({ entries: entries(1, 100), hardState: hard(1, 0, 100), mustSync: true })
    const receiver = await log.receiveSnapshot(snapshotAt(100))
    await receiver.write(utf8('state '))
    const own = log.writeSnapshot(snapshotAt(100), [utf8('state at 100')])
    if (isOwnFirst) await own
    const rest = receiver.write(utf8('at 100')).then(() => receiver.finish())
    await Promise.all([own, rest])
    const hardState = hard(1, 0, 100)
    await log.append({ entries: [], snapshot: snapshotAt(100), hardState, mustSync: true })
    await log.close()
    t.same(await kept(mount), [100])
    const { restored, wal } = await open(mount, small())
    t.equal(restored.snapshot.index, 100)
    t.equal(await textOf(wal, 100), 'state at 100')
  }
})

t.test('one that nobody took is let go, and only that', async (t) => {
  const mount = newDisk().mount()
  const log = await newLog(mount)
  const untaken = await log.receiveSnapshot(snapshotAt(100))
  await untaken.write(utf8('state'))
  await untaken.finish()
  t.same(await kept(mount), [100])
  await untaken.abort()
  t.same(await kept(mount), [])
  await receive(log, 100)
  await untaken.abort()
  t.same(await kept(mount), [100])
})
