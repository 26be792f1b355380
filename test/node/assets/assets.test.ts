import path from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { Assets } from '../../../src/node/assets/assets.ts'
import { chunkBytesMax } from '../../../src/node/assets/stream-file.ts'
import { readTarZstd } from '../../../src/platform/archive.ts'
import { newSha256 } from '../../../src/platform/digest.ts'
import { directoryDisk } from '../../../src/platform/disk.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import { SimulatedDisk } from '../../sim/disk.ts'
import { sha256Of, smallImage } from './small-image.ts'
import type { SmallImage } from './small-image.ts'

const random = new SeededRandom(7)
const contents = {
  vmlinuz: random.bytes(3000),
  'initrd.img': random.bytes(1),
  'root.squashfs': random.bytes(2 * chunkBytesMax + 17),
}

/** A disk, and a place for archives, of a test's own. */
function places(t: Test): { disk: Disk; directory: string } {
  const parent = t.testdir({ disk: {}, archives: {} })
  return {
    disk: directoryDisk(path.join(parent, 'disk')),
    directory: path.join(parent, 'archives'),
  }
}

const openAssets = (disk: Disk): Promise<Assets> =>
  Assets.open({ disk, newSha256, unpack: readTarZstd })

async function bytesOf(assets: Assets, sha256: string, range = {}): Promise<Buffer> {
  const stream = await assets.open(sha256, range)
  const parts: Uint8Array[] = []
  for await (const part of stream.chunks) {
    t.ok(part.length <= chunkBytesMax, 'a piece is bounded')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

t.test('an image is imported, found again after a restart, and read in ranges', async (t) => {
  const { disk, directory } = places(t)
  const image = await smallImage(directory, contents)
  const first = await openAssets(disk)
  const seen: string[] = []
  await first.importImage(image.read(), image.sha256, ({ file, bytesDone, bytesTotal }) => {
    if (bytesDone === bytesTotal) seen.push(file)
  })
  t.same(seen, ['vmlinuz', 'initrd.img', 'root.squashfs'], 'progress tells each file')

  const assets = await openAssets(disk)
  t.same(await assets.images(), [{ sha256: image.sha256, manifest: image.manifest }])
  const root = contents['root.squashfs']
  const sha256 = sha256Of(root)
  t.same(await assets.stat(sha256), { size: root.length })
  t.ok((await bytesOf(assets, sha256)).equals(root), 'whole')
  t.ok((await bytesOf(assets, sha256, { start: 5, end: 9 })).equals(root.subarray(5, 9)))
  t.equal((await bytesOf(assets, sha256, { start: root.length })).length, 0, 'nothing is left')
  await t.rejects(assets.open(sha256, { end: root.length + 1 }), { code: 'JGD_BAD_REQUEST' })
  await t.rejects(assets.open(sha256, { start: 9, end: 5 }), { code: 'JGD_BAD_REQUEST' })
})

t.test('what is not the image that was meant leaves nothing behind', async (t) => {
  const { disk, directory } = places(t)
  const assets = await openAssets(disk)
  const good = await smallImage(directory, contents)
  const refused = async (image: typeof good, sha256: string, code: string): Promise<void> => {
    await t.rejects(assets.importImage(image.read(), sha256), { code })
    t.same(await disk.list('assets/sha256'), [])
    t.same(await disk.list('assets/incoming'), [])
    t.same(await assets.images(), [])
  }
  await refused(good, '0'.repeat(64), 'JGD_DIGEST_MISMATCH')
  await refused(good, 'not a digest', 'JGD_BAD_REQUEST')

  const altered = await smallImage(directory, contents, (_, files) =>
    files.map((file) =>
      file.name === 'vmlinuz' ? { ...file, from: { bytes: new Uint8Array(3000) } } : file,
    ),
  )
  await refused(altered, altered.sha256, 'JGD_DIGEST_MISMATCH')
  const more = { name: 'more', size: 1, from: { bytes: new Uint8Array(1) } }
  const extra = await smallImage(directory, contents, (_, files) => [...files, more])
  await refused(extra, extra.sha256, 'JGD_IMAGE_FORMAT')
  const fewer = await smallImage(directory, contents, (_, files) => files.slice(0, -1))
  await refused(fewer, fewer.sha256, 'JGD_IMAGE_FORMAT')
  const headless = await smallImage(directory, contents, (_, files) => files.slice(1))
  await refused(headless, headless.sha256, 'JGD_IMAGE_FORMAT')

  const noise = Buffer.from('this is no archive at all, whatever its name says')
  async function* noisy(): AsyncIterable<Uint8Array> {
    yield noise
  }
  await t.rejects(assets.importImage(noisy(), sha256Of(noise)), { code: 'JGD_IMAGE_FORMAT' })
  async function* cutShort(): AsyncIterable<Uint8Array> {
    for await (const bytes of good.read()) yield bytes.subarray(0, bytes.length / 2)
  }
  await t.rejects(assets.importImage(cutShort(), good.sha256), { code: 'JGD_IMAGE_FORMAT' })
  async function* broken(): AsyncIterable<Uint8Array> {
    yield* []
    throw new Error('the connection was lost')
  }
  await t.rejects(assets.importImage(broken(), good.sha256), { message: /connection was lost/ })
  t.ok(await assets.importImage(good.read(), good.sha256), 'and the right one still goes in')
})

t.test('a machine that boots from a replaced image can finish', async (t) => {
  const { disk, directory } = places(t)
  const assets = await openAssets(disk)
  const images: SmallImage[] = []
  for (const vmlinuz of [1, 2, 3]) {
    images.push(
      await smallImage(directory, { ...contents, vmlinuz: new Uint8Array(100).fill(vmlinuz) }),
    )
  }
  const has = async (): Promise<boolean[]> => {
    const found = []
    for (const image of images) {
      found.push((await assets.stat(image.manifest.files[0]?.sha256 ?? '')) !== undefined)
    }
    return found
  }
  const sizes: boolean[][] = []
  for (const image of images) {
    await assets.importImage(image.read(), image.sha256)
    sizes.push(await has())
  }
  t.same(sizes, [
    [true, false, false],
    [true, true, false],
    [false, true, true],
  ])
  t.equal((await assets.images()).length, 1, 'one name, one image')
  t.equal((await assets.image('jangada'))?.sha256, images[2]?.sha256)
  t.equal(await assets.image('../jangada'), undefined)
})

t.test('files that two images share go with the second one', async (t) => {
  const { disk, directory } = places(t)
  const assets = await openAssets(disk)
  for (const name of ['one', 'two']) {
    const image = await smallImage(directory, contents, undefined, name)
    await assets.importImage(image.read(), image.sha256)
  }
  t.equal(await assets.removeImage('one'), true)
  t.equal((await disk.list('assets/sha256')).length, 3)
  t.equal(await assets.removeImage('two'), true)
  t.same(await disk.list('assets/sha256'), [])
  t.equal(await assets.removeImage('two'), false)
  const gone = sha256Of(contents.vmlinuz)
  await t.rejects(assets.open(gone), { code: 'JGD_ASSET_MISSING' })
})

t.test('one import at a time', async (t) => {
  const { disk, directory } = places(t)
  const assets = await openAssets(disk)
  const image = await smallImage(directory, contents)
  const first = assets.importImage(image.read(), image.sha256)
  await t.rejects(assets.importImage(image.read(), image.sha256), { code: 'JGD_CONFLICT' })
  await first
})

t.test('after a power cut at any moment, what can be found is whole', async (t) => {
  const image = await smallImage(t.testdir(), contents)
  let whole = 0
  let absent = 0
  for (let seed = 1; seed <= 60; seed += 1) {
    const medium = new SimulatedDisk(new SeededRandom(seed))
    let calls = new SeededRandom(seed).integer(1, 120)
    const disk = cutAfter(medium.mount(), () => {
      calls -= 1
      if (calls === 0) medium.losePower()
      return calls <= 0
    })
    const cut = Symbol('cut')
    const imported = openAssets(disk.disk).then((assets) =>
      assets.importImage(image.read(), image.sha256),
    )
    const outcome = await Promise.race([imported, disk.died.then(() => cut)])
    if (outcome !== cut) medium.losePower()
    const assets = await openAssets(medium.mount())
    const images = await assets.images()
    if (outcome !== cut) t.equal(images.length, 1, `seed ${seed}: an import that ended is durable`)
    for (const { manifest } of images) {
      for (const file of manifest.files) {
        t.equal(sha256Of(await bytesOf(assets, file.sha256)), file.sha256, `seed ${seed}`)
      }
    }
    if (images.length === 1) whole += 1
    else absent += 1
  }
  t.ok(whole > 0 && absent > 0, `both happened: ${whole} whole, ${absent} absent`)
})

/** `disk`, whose machine loses power just before the call for which `isCut` says so. */
function cutAfter(disk: Disk, isCut: () => boolean): { disk: Disk; died: Promise<void> } {
  let die = (): void => undefined
  const died = new Promise<void>((resolve) => (die = resolve))
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, key) {
        const value: unknown = Reflect.get(object, key)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          if (isCut()) {
            die()
            return await new Promise(() => undefined)
          }
          const result: unknown = await value.apply(object, args)
          return key === 'open' ? wrap(result as object) : result
        }
      },
    })
  return { disk: wrap(disk), died }
}
