/** What crashes, decay and failing disks do to a log, and what it then says. */
import t from 'tap'
import type * as Tap from 'tap'
import { index } from '../../../src/base/ids.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { isJangadaError, type JangadaError } from '../../../src/base/errors.ts'
import { Wal } from '../../../src/node/wal/wal.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { SimulatedTime } from '../../sim/clock.ts'
import { SimulatedDisk } from '../../sim/disk.ts'
import { wrappedDisk } from '../../support/wrapped-disk.ts'
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
  textOf,
} from './fixture.ts'

const firstSegment = 'wal/segments/0000000000000001.log'

/** One past the last byte of `path` that is not zero. */
async function usedBytes(disk: Disk, path: string): Promise<number> {
  return (await disk.readFile(path)).findLastIndex((byte) => byte !== 0) + 1
}

t.test('a write torn at any byte costs only that write', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  const before = await usedBytes(disk.mount(), firstSegment)
  disk.killProcess()
  const second = await open(disk.mount())
  await second.wal.append({ entries: [entry(4, 1, 700), entry(5)], hardState: hard(1, 7, 3) })
  const mount = disk.mount()
  const whole = await mount.readFile(firstSegment)
  const end = await usedBytes(mount, firstSegment)
  t.ok(end > before + 700)

  for (let offset = end - 1; offset >= before; offset -= 1) {
    await restore(mount, firstSegment, whole)
    await cutFrom(mount, firstSegment, offset)
    const { wal: again, restored } = await open(mount)
    // Cut inside its end mark, the write is whole in everything that it says.
    const isWhole = restored.entries.length === 5
    if (!isWhole || offset < end - 4) t.same(indexesOf(restored.entries), [1, 2, 3])
    await again.close()
    await removeSpares(mount)
  }
  const bytes = await mount.readFile(firstSegment)
  t.notOk(
    bytes.subarray(before).some((byte) => byte !== 0),
    'and nothing stale is left',
  )
})

t.test('sectors of a torn write that arrived out of order are cut off too', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  const before = await usedBytes(disk.mount(), firstSegment)
  disk.killProcess()
  await (await open(disk.mount())).wal.append({ entries: [entry(4, 1, 3000)] })
  const mount = disk.mount()
  const whole = await mount.readFile(firstSegment)
  for (let sector = Math.floor(before / 512); sector < 7; sector += 1) {
    const torn = whole.slice()
    torn.fill(0, Math.max(before, sector * 512), (sector + 1) * 512)
    await restore(mount, firstSegment, torn)
    const { wal: again, restored, repairs } = await open(mount)
    t.same(indexesOf(restored.entries), [1, 2, 3])
    t.match(repairs, [/torn/])
    await again.append({ entries: [entry(4, 2)] })
    await again.close()
    t.same(indexesOf((await open(mount)).restored.entries), [1, 2, 3, 4], 'writing goes on there')
    await removeSpares(mount)
  }
})

t.test('a flipped bit anywhere in what was acknowledged is never passed over', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (const one of entries(1, 12, 1, 300)) await wal.append({ entries: [one] })
  await wal.close()
  const mount = disk.mount()
  const paths = (await mount.list('wal/segments')).map((name) => `wal/segments/${name}`)
  t.ok(paths.length > 2)
  let refused = 0
  for (const path of paths) {
    const whole = await mount.readFile(path)
    const end = await usedBytes(mount, path)
    for (let offset = 0; offset < end; offset += 1) {
      await flip(mount, path, offset)
      try {
        const { wal: again, restored } = await open(mount, small())
        // Only padding, end marks and unused segments may differ without harm.
        t.equal(restored.entries.length, 12, `${path} byte ${offset}`)
        await again.close()
      } catch (error) {
        refused += 1
        const code = isJangadaError(error) ? error.code : String(error)
        if (!['JGD_WAL_DAMAGED', 'JGD_WAL_VERSION'].includes(code)) t.fail(`${code} at ${offset}`)
      }
      await removeSpares(mount, paths)
      await restore(mount, path, whole)
    }
  }
  t.ok(refused > 3000, `${refused} refusals`)
  t.equal((await open(mount, small())).restored.entries.length, 12)
})

t.test('a refusal names file and byte, and what to do', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  for (const one of entries(1, 3)) await wal.append({ entries: [one] })
  await wal.close()
  disk.corrupt(firstSegment, 530)
  const error = await open(disk.mount()).then(
    () => undefined,
    (reason: unknown) => reason as JangadaError,
  )
  t.equal(error?.code, 'JGD_WAL_DAMAGED')
  t.same(error?.details, { file: firstSegment, offset: 512 })
  t.match(error?.message, 'damaged at byte 512')
  t.match(error?.hint, 'aside')
})

t.test('a missing segment is found, whichever it is', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (const one of entries(1, 30, 1, 300)) await wal.append({ entries: [one] })
  await wal.close()
  const mount = disk.mount()
  const names = await mount.list('wal/segments')
  for (const name of names.slice(0, -1)) {
    const path = `wal/segments/${name}`
    const whole = await mount.readFile(path)
    await mount.remove(path)
    t.equal(await codeOf(open(mount, small())), 'JGD_WAL_DAMAGED', name)
    await (await mount.open(path, { create: true })).close()
    await restore(mount, path, whole)
  }
  t.equal(await codeOf(open(mount, small())), undefined)
})

t.test('segments that a snapshot covers may be missing in any order', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, small())
  for (const one of entries(1, 30, 1, 300)) await wal.append({ entries: [one] })
  await wal.writeSnapshot(snapshotAt(28), [utf8('state')])
  await wal.close()
  const mount = disk.mount()
  await mount.remove('wal/segments/0000000000000002.log')
  const { restored, wal: again } = await open(mount, small())
  t.equal(restored.entries.at(-1)?.index, 30)
  t.notOk(await mount.exists(firstSegment), 'what nobody needs is cleared away')
  await again.close()
})

t.test("another member's segment is refused", async (t) => {
  const ours = newDisk()
  const theirs = newDisk()
  const other = { ...identity, incarnation: '00000000000000000000000000000001' }
  for (const [disk, whose] of [
    [ours, identity],
    [theirs, other],
  ] as const) {
    const { wal } = await Wal.create(disk.mount(), whose, options())
    await wal.append({ entries: [entry(1)] })
    await wal.close()
  }
  await restore(ours.mount(), firstSegment, await theirs.mount().readFile(firstSegment))
  t.equal(await codeOf(open(ours.mount())), 'JGD_WAL_FOREIGN')
})

t.test('formats of a newer Jangada are named as such', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.close()
  const mount = disk.mount()
  const { crc32 } = await import('../../../src/base/crc32.ts')
  const line = JSON.stringify({ format: 2, anything: true })
  const sum = crc32(utf8(line)).toString(16).padStart(8, '0')
  await mount.remove('wal/identity')
  const file = await mount.open('wal/identity', { create: true })
  await file.write(0, utf8(`${line}\n${sum}\n`))
  t.equal(await codeOf(open(mount)), 'JGD_WAL_VERSION')
})

t.test('a failed write, a failed sync, a full disk: the log ends, once, and says so', async (t) => {
  const faults: Record<string, readonly [code: string, break_: (disk: SimulatedDisk) => void]> = {
    'failed write': ['JGD_DISK_FAILED', (disk) => (disk.faults.failedWrite = 1)],
    'failed sync': ['JGD_DISK_FAILED', (disk) => (disk.faults.failedSync = 1)],
    'full disk': ['JGD_DISK_FULL', (disk) => (disk.capacityBytes = 0)],
  }
  for (const [name, [code, break_]] of Object.entries(faults)) {
    const disk = newDisk()
    const told: JangadaError[] = []
    const onFailure = (error: JangadaError): void => void told.push(error)
    const { wal } = await Wal.create(disk.mount(), identity, small({ onFailure }))
    await wal.append({ entries: [entry(1)] })
    break_(disk)
    // Longer than what is reserved, so that a full disk is met too.
    const pending = [
      wal.append({ entries: [entry(2, 1, 5000)] }),
      wal.append({ entries: [entry(3)] }),
    ]
    for (const one of pending) t.equal(await codeOf(one), code, name)
    disk.faults.failedWrite = 0
    disk.faults.failedSync = 0
    disk.capacityBytes = Infinity
    t.equal(await codeOf(wal.append({ entries: [entry(4)] })), code, 'for good')
    t.equal(await codeOf(wal.writeSnapshot(snapshotAt(1), [])), code)
    t.equal(await codeOf(wal.release(index(1))), code)
    t.equal(told.length, 1, 'told once')
    t.equal(told[0], wal.failure)
    await wal.close()
  }
})

t.test('a snapshot for which there is no room is not there, and the log goes on', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  disk.capacityBytes = 0
  const pieces = [new Uint8Array(300_000)]
  t.equal(await codeOf(wal.writeSnapshot(snapshotAt(2), pieces)), 'JGD_DISK_FULL')
  const incoming = await wal.stageSnapshot(snapshotAt(3)).catch(() => undefined)
  t.equal(incoming, undefined)
  await wal.append({ entries: [entry(4)] })
  disk.capacityBytes = Infinity
  await wal.writeSnapshot(snapshotAt(2), pieces)
  await wal.close()
  const again = disk.mount()
  t.equal((await again.list('wal/snapshots')).length, 1, 'and nothing half-written is left')
  t.same(indexesOf((await open(again)).restored.entries), [1, 2, 3, 4])
})

t.test('a log is not opened where it could not go on', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  disk.killProcess()
  disk.capacityBytes = 0
  t.equal(await codeOf(open(disk.mount())), 'JGD_DISK_FULL')
  disk.capacityBytes = Infinity
  t.same(indexesOf((await open(disk.mount())).restored.entries), [1, 2, 3], 'and later it is')
})

t.test('a log that could not be opened keeps no file open', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  disk.killProcess()
  disk.capacityBytes = 0
  let opened = 0
  const wrapped = wrappedDisk(disk.mount(), (file) => ({
    close: async () => {
      opened -= 1
      await file.close()
    },
  }))
  const counting: Disk = {
    ...wrapped,
    open: async (path, how) => {
      const file = await wrapped.open(path, how)
      opened += 1
      return file
    },
  }
  for (let attempt = 0; attempt < 3; attempt += 1) {
    t.equal(await codeOf(Wal.open(counting, identity, options())), 'JGD_DISK_FULL')
    t.equal(opened, 0, 'neither the log nor what was to be its next segment')
  }
})

t.test('a snapshot that cannot be written ends the log too', async (t) => {
  const disk = newDisk()
  let told = 0
  const { wal } = await Wal.create(
    disk.mount(),
    identity,
    options({ onFailure: () => (told += 1) }),
  )
  await wal.append({ entries: [entry(1)] })
  disk.faults.failedSync = 1
  t.equal(await codeOf(wal.writeSnapshot(snapshotAt(1), [utf8('x')])), 'JGD_DISK_FAILED')
  t.equal(await codeOf(wal.append({ entries: [entry(2)] })), 'JGD_DISK_FAILED')
  t.equal(told, 1)
})

t.test('a mistake of our own is not the disk failing, and what is there stays', async (t) => {
  const told: JangadaError[] = []
  const onFailure = (error: JangadaError): void => void told.push(error)
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options({ onFailure }))
  await t.rejects(wal.stageSnapshot(snapshotAt(0)), { name: 'AssertionError' })
  await t.rejects(wal.writeSnapshot(snapshotAt(0), []), { name: 'AssertionError' })
  await wal.append({ entries: [entry(1)] })
  t.equal(wal.failure, undefined, 'no snapshot came of it, and the log goes on')

  // A snapshot that was never staged: what the log then holds is what it held, but nothing follows.
  const never = { entries: [], snapshot: snapshotAt(9) }
  t.equal(await codeOf(wal.append(never)), 'JGD_INTERNAL')
  t.equal(await codeOf(wal.append({ entries: [] })), 'JGD_INTERNAL', 'for good')
  t.match(told, [{ code: 'JGD_INTERNAL', hint: /kept as it is/ }])
  await wal.close()
  t.same(indexesOf((await open(disk.mount())).restored.entries), [1])
})

t.test('a snapshot that cannot be read says what the disk said', async (t) => {
  const disk = newDisk()
  const { wal } = await Wal.create(disk.mount(), identity, options())
  await wal.append({ entries: entries(1, 3) })
  await wal.writeSnapshot(snapshotAt(2), [utf8('x')])
  disk.faults.failedRead = 1
  t.equal(await codeOf(textOf(wal, 2)), 'JGD_DISK_FAILED')
  disk.faults.failedRead = 0
  t.equal(await textOf(wal, 2), 'x')
  await wal.close()
})

t.test('what only the kernel held when a process died is durable before it counts', async (t) => {
  let kept = 0
  for (let seed = 1; seed <= 40; seed += 1) {
    const { disk, time, during } = timedDisk(seed)
    const { wal } = await during(Wal.create(disk.mount(), identity, options()))
    await during(wal.append({ entries: [entry(1)] }))
    void wal.append({ entries: [entry(2)], hardState: hard(1, 7, 1) })
    await time.runFor(0.3)
    disk.killProcess()
    const { restored } = await during(open(disk.mount()))
    disk.losePower()
    t.same((await during(open(disk.mount()))).restored, restored)
    kept += restored.entries.length - 1
  }
  t.ok(kept > 0, 'a write without its sync was met')
})

t.test('power cuts and dying processes, at any moment, lose nothing acknowledged', async (t) => {
  let torn = 0
  for (let seed = 1; seed <= 150; seed += 1) torn += await manyLives(t, seed)
  t.ok(torn > 5, `torn writes were met (${torn})`)
})

/** Six lives of one member. Returns how many torn writes it met. */
async function manyLives(t: Tap.Test, seed: number): Promise<number> {
  const random = new SeededRandom(seed)
  const { disk, time, during } = timedDisk(seed)
  const how = small({ entriesBeforeSnapshot: 1_000_000 })
  await during(Wal.create(disk.mount(), identity, how))
  disk.killProcess()
  let acknowledged = 0
  let votedIn = 0
  let torn = 0
  for (let life = 1; life <= 6; life += 1) {
    const { wal, restored, repairs } = await during(open(disk.mount(), how))
    torn += repairs.filter((repair) => repair.includes('torn')).length
    const { hardState } = restored
    const last: number = restored.entries.at(-1)?.index ?? restored.snapshot.index
    if (last < acknowledged) t.fail(`seed ${seed}: ${acknowledged} acknowledged, ${last} found`)
    if (hardState.term < votedIn) t.fail(`seed ${seed}: a vote was forgotten`)
    const termAt = (at: number): number =>
      at > last
        ? life
        : (restored.entries.find((one) => one.index === at)?.term ?? restored.snapshot.term)
    let end = last
    for (let steps = random.integer(1, 25); steps > 0; steps -= 1) {
      const from = end + 1
      end += random.integer(1, 3)
      const upto = end
      const commit = Math.max(acknowledged, hardState.commit)
      const added = entries(from, upto, life, random.integer(0, 400))
      const done = wal.append({ entries: added, hardState: hard(life, 7, commit) }).then(() => {
        acknowledged = Math.max(acknowledged, upto)
        votedIn = life
      })
      if (random.chance(0.6)) await during(done)
      if (acknowledged === 0 || random.chance(0.9)) continue
      const snapshot = snapshotAt(acknowledged, termAt(acknowledged))
      await during(wal.writeSnapshot(snapshot, [random.bytes(700)]))
      await during(wal.release(snapshot.index))
    }
    void wal.append({ entries: entries(end + 1, end + 3, life, 500) })
    await time.runFor(random.fraction() * 1.5)
    if (random.chance(0.3)) disk.killProcess()
    else disk.losePower()
  }
  return torn
}

/** A disk whose calls take time, so that power can go in the middle of one. */
function timedDisk(seed: number) {
  const random = new SeededRandom(seed)
  const time = new SimulatedTime(random.fork())
  const disk = new SimulatedDisk(random.fork(), { after: (ms, fire) => time.after(ms, fire) })
  const during = <T>(work: Promise<T>): Promise<T> => time.runUntilSettled(work, 60_000)
  return { disk, time, during }
}

async function restore(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, { create: false })
  await file.write(0, bytes)
  await file.sync()
  await file.close()
}

async function flip(disk: Disk, path: string, offset: number): Promise<void> {
  const file = await disk.open(path, { create: false })
  const [byte = 0] = await file.read(offset, 1)
  await file.write(offset, Uint8Array.of(byte ^ 0x10))
  await file.sync()
  await file.close()
}

/** Opening makes a segment ahead; without this the next opening would find a second one. */
async function removeSpares(disk: Disk, kept: readonly string[] = [firstSegment]): Promise<void> {
  for (const name of await disk.list('wal/segments')) {
    const path = `wal/segments/${name}`
    if (!kept.includes(path)) await disk.remove(path)
  }
}
