/** What every side of `ports/Disk` must do while nothing fails. */
import type { Test } from 'tap'
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { replaceFile } from '../../src/ports/disk.ts'
import type { Disk } from '../../src/ports/disk.ts'

/** `makeDisk` gives a new, empty one. */
export function diskContract(t: Test, makeDisk: () => Promise<Disk>): void {
  t.test('what is written is read, across writes and holes', (t) => writesAreRead(t, makeDisk))
  t.test('a file is made once and then opened', (t) => filesAreMadeOnce(t, makeDisk))
  t.test('reserved bytes read as zero, and written ones are kept', (t) => reserves(t, makeDisk))
  t.test('directories list their names in order', (t) => lists(t, makeDisk))
  t.test('renaming replaces, removing takes all', (t) => renamesAndRemoves(t, makeDisk))
  t.test('a file is replaced whole', (t) => replaces(t, makeDisk))
  t.test('a path that leaves the directory is our bug', (t) => staysInside(t, makeDisk))
  t.end()
}

async function writesAreRead(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  const file = await disk.open('a', { create: true })
  await file.write(0, utf8('hello world'))
  await file.write(6, utf8('there'))
  await file.sync()
  t.equal(fromUtf8(await file.read(0, 11)), 'hello there')
  t.equal(fromUtf8(await file.read(6, 100)), 'there', 'fewer at the end')
  t.equal((await file.read(50, 10)).length, 0, 'none past it')
  await file.write(14, utf8('!'))
  t.same(await file.read(11, 4), Uint8Array.of(0, 0, 0, 33), 'a hole reads as zero')
  t.equal(await file.size(), 15)
  await file.truncate(5)
  await file.close()
  t.equal(fromUtf8(await disk.readFile('a')), 'hello')
  t.equal(file.path, 'a')
}

async function filesAreMadeOnce(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  await t.rejects(disk.open('a', { create: false }), { name: 'DiskError', reason: 'ENOENT' })
  await t.rejects(disk.readFile('a'), { name: 'DiskError', reason: 'ENOENT' })
  await t.rejects(disk.open('no/a', { create: true }), { name: 'DiskError', reason: 'ENOENT' })
  await (await disk.open('a', { create: true })).close()
  await t.rejects(disk.open('a', { create: true }), { name: 'DiskError', reason: 'EEXIST' })
  const file = await disk.open('a', { create: false })
  t.equal(await file.size(), 0)
  await file.close()
}

async function reserves(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  const file = await disk.open('segment', { create: true })
  await file.write(0, utf8('head'))
  const length = 2_500_000
  await file.allocate(length)
  t.equal(await file.size(), length)
  t.equal(fromUtf8(await file.read(0, 4)), 'head')
  const reserved = await file.read(4, length)
  t.equal(reserved.length, length - 4)
  t.ok(reserved.every((byte) => byte === 0))
  await file.allocate(10)
  t.equal(await file.size(), length, 'it never shrinks a file')
  await file.close()
}

async function lists(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  t.same(await disk.list('wal'), [])
  t.notOk(await disk.exists('wal'))
  await disk.makeDirectory('wal/old')
  await disk.makeDirectory('wal')
  for (const name of ['b', 'c', 'a']) {
    await (await disk.open(`wal/${name}`, { create: true })).close()
  }
  await disk.syncDirectory('wal')
  await disk.syncDirectory('')
  t.same(await disk.list('wal'), ['a', 'b', 'c', 'old'])
  t.same(await disk.list(''), ['wal'])
  t.ok(await disk.exists('wal/old'))
  t.ok(await disk.exists('wal/a'))
  await t.rejects(disk.syncDirectory('nowhere'), { name: 'DiskError', reason: 'ENOENT' })
}

async function renamesAndRemoves(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  await disk.makeDirectory('member')
  await replaceFile(disk, 'member/a', utf8('new'))
  await replaceFile(disk, 'member/b', utf8('old'))
  await disk.rename('member/a', 'member/b')
  t.equal(fromUtf8(await disk.readFile('member/b')), 'new')
  t.notOk(await disk.exists('member/a'))
  await t.rejects(disk.rename('member/a', 'c'), { name: 'DiskError', reason: 'ENOENT' })
  await disk.rename('member', 'member.lost')
  t.same(await disk.list('member.lost'), ['b'])
  await disk.remove('member.lost')
  t.same(await disk.list(''), [])
  await disk.remove('member.lost')
}

async function replaces(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  await replaceFile(disk, 'identity', utf8('one'))
  await replaceFile(disk, 'identity', utf8('2'))
  t.equal(fromUtf8(await disk.readFile('identity')), '2')
  t.same(await disk.list(''), ['identity'])
}

async function staysInside(t: Test, makeDisk: () => Promise<Disk>): Promise<void> {
  const disk = await makeDisk()
  for (const path of ['/etc/passwd', '../other', 'a/../../b']) {
    await t.rejects(async () => disk.readFile(path), { name: 'AssertionError' }, path)
  }
}
