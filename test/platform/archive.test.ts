import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { pack } from 'tar-stream'
import { readTarZstd, writeTarZstd } from '../../src/platform/archive.ts'

const large = new Uint8Array(3_000_000).map((_, at) => at % 251)

t.test('what was packed is unpacked, in order and in pieces', async (t) => {
  const directory = t.testdir({ large: Buffer.from(large) })
  const archive = path.join(directory, 'a.tar.zst')
  const write = (to: string): Promise<void> =>
    writeTarZstd(to, [
      { name: 'small', size: 3, from: { bytes: new Uint8Array([1, 2, 3]) } },
      { name: 'large', size: large.length, from: { path: path.join(directory, 'large') } },
      { name: 'empty', size: 0, from: { bytes: new Uint8Array(0) } },
    ])
  await write(archive)
  const seen: [string, number, number][] = []
  for await (const entry of readTarZstd(createReadStream(archive))) {
    const parts: Uint8Array[] = []
    for await (const bytes of entry.content) parts.push(bytes)
    const content = Buffer.concat(parts)
    if (entry.name === 'large') t.ok(content.equals(large) && parts.length > 1)
    seen.push([entry.name, entry.size, content.length])
  }
  t.same(seen, [
    ['small', 3, 3],
    ['large', large.length, large.length],
    ['empty', 0, 0],
  ])
  await write(`${archive}.again`)
  t.ok((await readFile(archive)).equals(await readFile(`${archive}.again`)), 'the same bytes')
})

t.test('a file that is shorter or longer than was said is not packed', async (t) => {
  const directory = t.testdir()
  for (const size of [2, 4]) {
    const files = [{ name: 'a', size, from: { bytes: new Uint8Array(3) } }]
    await t.rejects(writeTarZstd(path.join(directory, 'a.tar.zst'), files))
  }
})

t.test('links, and bytes that are no archive, are refused', async (t) => {
  const directory = t.testdir()
  const names = async (bytes: Uint8Array): Promise<string[]> => {
    await writeFile(path.join(directory, 'a'), bytes)
    const found: string[] = []
    for await (const entry of readTarZstd(createReadStream(path.join(directory, 'a')))) {
      found.push(entry.name)
      for await (const _ of entry.content);
    }
    return found
  }
  const tar = pack()
  tar.entry({ name: 'passwd', type: 'symlink', linkname: '/etc/passwd' })
  tar.finalize()
  const parts: Uint8Array[] = []
  for await (const part of tar) parts.push(part as Uint8Array)
  const refused = { code: 'JGD_IMAGE_FORMAT' }
  await t.rejects(names(zstdCompressSync(Buffer.concat(parts))), refused)
  await t.rejects(names(zstdCompressSync(Buffer.alloc(700, 'x'))), refused)
  await t.rejects(names(Buffer.from('not compressed')), refused)
  await t.rejects(names(new Uint8Array(0)), refused)
})

t.test('a reader may leave early', async (t) => {
  const archive = path.join(t.testdir(), 'a.tar.zst')
  const bytes = large
  await writeTarZstd(archive, [
    { name: 'a', size: bytes.length, from: { bytes } },
    { name: 'b', size: bytes.length, from: { bytes } },
  ])
  const source = createReadStream(archive)
  for await (const entry of readTarZstd(source)) {
    t.equal(entry.name, 'a')
    break
  }
  if (!source.closed) await new Promise<void>((resolve) => source.once('close', resolve))
  t.ok(source.closed, 'and the source is closed')
})
