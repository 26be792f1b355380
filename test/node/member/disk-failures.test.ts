/**
 * A member on a real file system that fails: what becomes of it, what it says, and what of its log
 * is left. Each story is a line of the table in docs/operations.md.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type * as Tap from 'tap'
import { crc32 } from '../../../src/base/crc32.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import {
  cannotMount,
  moveToOwnMounts,
  LoopDisk,
  type LoopDiskOptions,
} from '../../support/loop-disk.ts'
import type { OneMemberOptions } from '../../support/one-member.ts'
import { MemberProcess } from '../../support/member-process.ts'

if (cannotMount === false) moveToOwnMounts(import.meta.filename)
const skip = cannotMount
t.setTimeout(110_000)

const clients = 8

/** A member that has acknowledged some writes, on a disk of its own. */
async function memberAtWork(
  t: Tap.Test,
  diskOptions: LoopDiskOptions,
  options: Partial<OneMemberOptions> = {},
) {
  const disk = new LoopDisk(diskOptions)
  t.teardown(() => disk.remove())
  const member = new MemberProcess(disk.directory, { create: true, clients, ...options })
  t.teardown(() => member.kill())
  await member.writes(200)
  const at = (name: string): string => path.join(disk.directory, name)
  const logs = (): string[] => readdirSync(disk.directory).filter((name) => name.startsWith('wal'))
  const again = (): MemberProcess => {
    const next = new MemberProcess(disk.directory)
    t.teardown(() => next.kill())
    return next
  }
  const segments = (): string[] =>
    readdirSync(at('wal/segments')).map((name) => at(`wal/segments/${name}`))
  return { disk, member, at, logs, again, segments }
}

/** Everything that was acknowledged is there, and written once. */
async function keeps(t: Tap.Test, before: MemberProcess, after: MemberProcess): Promise<void> {
  const { id, values } = await after.first('member')
  t.equal(id, 1, 'it is the same member')
  t.equal(before.acknowledged.size, clients)
  for (const [client, n] of before.acknowledged) {
    const { value = 0, version = 0 } = values[client] ?? {}
    if (value < n || version !== value)
      t.fail(`client ${client}: ${n} acknowledged, ${value} there`)
  }
  t.pass('every acknowledged write is there')
}

async function beginsAnew(t: Tap.Test, after: MemberProcess, logs: () => string[], code: string) {
  await after.first('without member')
  t.match(after.logged.at(-1), {
    message: 'this machine goes on without its member',
    code,
    next: /kept beside.*jangada recover/,
  })
  t.match(logs(), [/^wal\.aside-\d+$/], 'the log is kept beside, whole')
}

const small = { megabytes: 64 }
/** Less than the shortest frame that carries a write. */
const tornBytes = 100

const long = {
  valueBytes: 16_384,
  sizes: { segmentBytes: 1024 * 1024, entriesBetweenSnapshots: 1_000_000 },
}

const endOf = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1

t.test(
  'the power goes: a torn end is cut off and nothing acknowledged is lost',
  { skip },
  async (t) => {
    const { disk, member, again } = await memberAtWork(t, small)
    disk.shutdown()
    await member.exited
    disk.unmount()
    disk.mount()
    await keeps(t, member, again())
  },
)

t.test(
  'a write was torn in the middle: it is cut off, and the member says so',
  { skip },
  async (t) => {
    const { disk, member, again, segments } = await memberAtWork(t, small)
    await member.stop()
    const [file = ''] = segments()
    const end = endOf(readFileSync(file))
    const next = new MemberProcess(disk.directory, { clients })
    await next.writes(100)
    await next.kill()
    const bytes = readFileSync(file)
    t.ok(endOf(bytes) > end + tornBytes, 'more was written after what was acknowledged')
    writeFileSync(file, bytes.fill(0, end + tornBytes))
    for (const later of segments().slice(1)) rmSync(later)
    const after = again()
    await after.first('member')
    t.match(after.logged, [{ message: 'the log was repaired', repair: /\d+ bytes torn, cut off/ }])
    await keeps(t, member, after)
  },
)

t.test('a damaged middle: the log is set aside', { skip }, async (t) => {
  const { member, again, logs, segments } = await memberAtWork(t, small)
  await member.stop()
  const [first = ''] = segments()
  const bytes = readFileSync(first)
  bytes[600] = (bytes[600] ?? 0) ^ 0xff
  writeFileSync(first, bytes)
  await beginsAnew(t, again(), logs, 'JGD_WAL_DAMAGED')
})

t.test('a missing segment: the log is set aside', { skip }, async (t) => {
  const { member, again, logs, segments } = await memberAtWork(t, { megabytes: 128 }, long)
  await member.stop()
  const all = segments()
  t.ok(all.length >= 3, `${all.length} segments`)
  rmSync(all.at(-2) ?? '')
  await beginsAnew(t, again(), logs, 'JGD_WAL_DAMAGED')
})

t.test("another member's identity file: the log is set aside", { skip }, async (t) => {
  const { member, again, logs, at } = await memberAtWork(t, small)
  await member.stop()
  const [line = ''] = readFileSync(at('wal/identity'), 'utf8').split('\n')
  const other = line.replace('"memberId":1', '"memberId":2')
  t.not(other, line)
  const sum = crc32(utf8(other)).toString(16).padStart(8, '0')
  writeFileSync(at('wal/identity'), `${other}\n${sum}\n`)
  await beginsAnew(t, again(), logs, 'JGD_WAL_FOREIGN')
})

t.test(
  'an identity file that is gone: the log is set aside, not taken for new',
  { skip },
  async (t) => {
    const { member, again, logs, at } = await memberAtWork(t, small)
    await member.stop()
    rmSync(at('wal/identity'))
    await beginsAnew(t, again(), logs, 'JGD_WAL_DAMAGED')
  },
)

t.test(
  'a full disk: the member ends, waits for room, and comes back as itself',
  { skip },
  async (t) => {
    const { disk, member, again, logs } = await memberAtWork(t, small)
    const makeRoom = disk.fill()
    const { reason } = await member.first('fatal')
    t.match(reason, /JGD_DISK_FULL.*Make room/)
    t.same(logs(), ['wal'], 'the log stays where it is')
    const after = again()
    await after.first('without member')
    t.match(after.logged.at(-1), { code: 'JGD_DISK_FULL', next: /Make room/ })
    t.same(logs(), ['wal'])
    makeRoom()
    await keeps(t, member, after)
  },
)

t.test(
  'a process that may open no more files: the log stays, and the next opens it',
  { skip },
  async (t) => {
    const { member, again, logs } = await memberAtWork(t, { megabytes: 128 }, long)
    member.limitFiles(3)
    const { reason } = await member.first('fatal')
    t.match(reason, /EMFILE.*LimitNOFILE/)
    await member.exited
    t.same(logs(), ['wal'], 'the log stays where it is')
    await keeps(t, member, again())
  },
)

t.test(
  'a file system gone read-only: the log stays, and is opened after a repair',
  { skip },
  async (t) => {
    const { disk, member, again, logs } = await memberAtWork(t, small)
    disk.abort()
    const { reason } = await member.first('fatal')
    t.match(reason, /JGD_DISK_READ_ONLY|JGD_DISK_FAILED/)
    await member.exited
    t.same(logs(), ['wal'], 'the log stays where it is')
    const waiting = again()
    await waiting.first('without member')
    t.match(waiting.logged.at(-1), { code: 'JGD_DISK_READ_ONLY', next: /check the file system/ })
    await waiting.stop()
    disk.unmount()
    disk.mount()
    await keeps(t, member, again())
  },
)

t.test('a failed sync: the log is set aside, whatever it seems to hold', { skip }, async (t) => {
  // The file system has room and the medium below it has none: writes pass, syncs fail.
  const { disk, member, logs } = await memberAtWork(t, { megabytes: 128, backingMegabytes: 16 })
  await member.first('fatal')
  await member.exited
  const [failed] = member.logged.filter(({ message }) => message === 'the log failed')
  t.match(failed, { code: 'JGD_DISK_FAILED', next: /kernel log/, cause: /cannot sync/ })
  const isAside = logs().every((name) => name.startsWith('wal.aside-'))
  const why = member.logged.find(({ message }) => message === 'the log could not be set aside')
  t.ok(isAside || why !== undefined, 'it is set aside, or the disk takes not even that')
  disk.unmount()
})
