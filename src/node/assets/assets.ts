/**
 * Boot files, stored by what they are: `assets/sha256/HEX`, and `assets/images/NAME.json` saying
 * which of them make up an image. Any node that has an image can boot machines with it.
 *
 * A file lies under its digest only after its bytes were seen to have it and are durable, and an
 * image's record is written after all its files: what can be found is whole.
 */
import { assert } from '../../base/assert.ts'
import { fromUtf8, concat, utf8 } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import {
  isImageName,
  isSha256,
  manifestBytesMax,
  parseImageManifest,
} from '../../base/image-manifest.ts'
import type { ImageFile, ImageManifest } from '../../base/image-manifest.ts'
import type { ArchiveEntry, Unpack } from '../../ports/archive.ts'
import type { NewSha256 } from '../../ports/digest.ts'
import { replaceFile } from '../../ports/disk.ts'
import type { Disk } from '../../ports/disk.ts'
import { streamFile } from './stream-file.ts'
import type { ByteRange, FileStream } from './stream-file.ts'

/** Where all of this lies on the node's disk. */
const root = 'assets'
const filesDirectory = `${root}/sha256`
const imagesDirectory = `${root}/images`
/** What an import has not finished; emptied when the next one, or the node, starts. */
const incomingDirectory = `${root}/incoming`

/** Images kept side by side; one name holds one image. */
export const imagesMax = 16

/** An image as it is stored. */
export interface StoredImage {
  /** SHA-256 of the archive it was imported from. */
  readonly sha256: string
  readonly manifest: ImageManifest
}

export interface AssetsEnvironment {
  readonly disk: Disk
  readonly newSha256: NewSha256
  readonly unpack: Unpack
}

export interface ImportProgress {
  /** The file being stored, and how much of it is. */
  readonly file: string
  readonly bytesDone: number
  readonly bytesTotal: number
}

export class Assets {
  readonly #environment: AssetsEnvironment
  /** Invariant: true exactly while `importImage` runs; two would share the incoming directory. */
  #importing = false

  private constructor(environment: AssetsEnvironment) {
    this.#environment = environment
  }

  /** Makes the directories, and clears away what an interrupted import has left. */
  static async open(environment: AssetsEnvironment): Promise<Assets> {
    const { disk } = environment
    for (const directory of [root, filesDirectory, imagesDirectory]) {
      await disk.makeDirectory(directory)
    }
    await disk.remove(incomingDirectory)
    await disk.syncDirectory(root)
    return new Assets(environment)
  }

  /**
   * Stores the image in `archive` if, and only if, the archive's SHA-256 is `sha256` and every
   * file is what the manifest says. An image of the same name is replaced; its files stay until
   * the next import, so that machines that are booting from it can finish.
   *
   * Throws `JGD_DIGEST_MISMATCH` or `JGD_IMAGE_FORMAT` for another or a broken archive,
   * `JGD_TOO_MANY` beyond `imagesMax`, `JGD_CONFLICT` while another import runs, and `DiskError`;
   * nothing is left behind then.
   */
  async importImage(
    archive: AsyncIterable<Uint8Array>,
    sha256: string,
    onProgress: (progress: ImportProgress) => void = () => undefined,
  ): Promise<StoredImage> {
    if (!isSha256(sha256)) {
      throw new JangadaError('JGD_BAD_REQUEST', 'a SHA-256 is 64 lower-case hex digits', {
        hint: 'take it from the place the image comes from, not from the file itself',
      })
    }
    if (this.#importing) {
      throw new JangadaError('JGD_CONFLICT', 'another image is being imported', {
        hint: 'wait for it to end',
      })
    }
    this.#importing = true
    try {
      await this.#removeUnnamed()
      await this.#environment.disk.makeDirectory(incomingDirectory)
      const manifest = await this.#receive(archive, sha256, onProgress)
      await this.#keep(manifest)
      const image: StoredImage = { sha256, manifest }
      await replaceFile(this.#environment.disk, recordPath(manifest.name), encodeRecord(image))
      return image
    } finally {
      this.#importing = false
      await this.#environment.disk.remove(incomingDirectory)
    }
  }

  /** All images, by name. */
  async images(): Promise<readonly StoredImage[]> {
    const images: StoredImage[] = []
    for (const name of await this.#environment.disk.list(imagesDirectory)) {
      // A record being replaced when the power went: the old one is still whole beside it.
      if (!name.endsWith('.json')) continue
      images.push(decodeRecord(await this.#environment.disk.readFile(`${imagesDirectory}/${name}`)))
    }
    return images
  }

  /** The image called `name`, or undefined. */
  async image(name: string): Promise<StoredImage | undefined> {
    const path = recordPath(name)
    if (!isImageName(name) || !(await this.#environment.disk.exists(path))) return undefined
    return decodeRecord(await this.#environment.disk.readFile(path))
  }

  /** Forgets the image and removes the files that no other has. False when there is none. */
  async removeImage(name: string): Promise<boolean> {
    if ((await this.image(name)) === undefined) return false
    await this.#environment.disk.remove(recordPath(name))
    await this.#environment.disk.syncDirectory(imagesDirectory)
    if (!this.#importing) await this.#removeUnnamed()
    return true
  }

  /** The size of a stored file, or undefined when this node does not have it. */
  async stat(sha256: string): Promise<{ size: number } | undefined> {
    if (!isSha256(sha256) || !(await this.#environment.disk.exists(filePath(sha256)))) {
      return undefined
    }
    const file = await this.#environment.disk.open(filePath(sha256), { create: false })
    try {
      return { size: await file.size() }
    } finally {
      await file.close()
    }
  }

  /**
   * A stored file's bytes, or those of `range`. Throws `JGD_ASSET_MISSING` when this node does not
   * have it, `JGD_BAD_REQUEST` for a range outside it. The caller must run `chunks` or `close`.
   */
  async open(sha256: string, range: ByteRange = {}): Promise<FileStream> {
    if (!isSha256(sha256) || !(await this.#environment.disk.exists(filePath(sha256)))) {
      throw new JangadaError('JGD_ASSET_MISSING', `this node has no file with sha256 ${sha256}`, {
        hint: 'import the image here, or ask a node that has it',
      })
    }
    return await streamFile(this.#environment.disk, filePath(sha256), range)
  }

  /** Reads the whole archive into the incoming directory, checking everything on the way. */
  async #receive(
    archive: AsyncIterable<Uint8Array>,
    sha256: string,
    onProgress: (progress: ImportProgress) => void,
  ): Promise<ImageManifest> {
    const whole = this.#environment.newSha256()
    let ended = false
    async function* hashed(): AsyncIterable<Uint8Array> {
      for await (const bytes of archive) {
        whole.update(bytes)
        yield bytes
      }
      ended = true
    }
    const entries = this.#environment.unpack(hashed())[Symbol.asyncIterator]()
    try {
      const first = await entries.next()
      if (first.done === true || first.value.name !== 'manifest.json') {
        throw new JangadaError('JGD_IMAGE_FORMAT', 'the archive does not start with manifest.json')
      }
      const manifest = parseImageManifest(await readText(first.value))
      await this.#checkRoom(manifest.name)
      for (const file of manifest.files) {
        await this.#receiveFile(await entries.next(), file, onProgress)
      }
      const extra = await entries.next()
      if (extra.done !== true) {
        throw new JangadaError('JGD_IMAGE_FORMAT', `the manifest does not name ${extra.value.name}`)
      }
      // An unpacker that stops early has left bytes unread: then the digest is not the archive's.
      if (!ended) throw new JangadaError('JGD_IMAGE_FORMAT', 'the archive goes on after its end')
      checkDigest('the archive', whole.digestHex(), sha256)
      return manifest
    } finally {
      await entries.return?.(undefined)
    }
  }

  async #receiveFile(
    entry: IteratorResult<ArchiveEntry>,
    file: ImageFile,
    onProgress: (progress: ImportProgress) => void,
  ): Promise<void> {
    if (entry.done === true || entry.value.name !== file.name || entry.value.size !== file.size) {
      throw new JangadaError(
        'JGD_IMAGE_FORMAT',
        `the archive does not hold ${file.name} of ${file.size} bytes where the manifest says so`,
      )
    }
    const target = await this.#environment.disk.open(`${incomingDirectory}/${file.name}`, {
      create: true,
    })
    try {
      const digest = this.#environment.newSha256()
      let offset = 0
      for await (const bytes of entry.value.content) {
        assert(offset + bytes.length <= file.size, 'an entry gives no more than its size')
        digest.update(bytes)
        await target.write(offset, bytes)
        offset += bytes.length
        onProgress({ file: file.name, bytesDone: offset, bytesTotal: file.size })
      }
      checkDigest(file.name, digest.digestHex(), file.sha256)
      await target.sync()
    } finally {
      await target.close()
    }
  }

  async #checkRoom(name: string): Promise<void> {
    const names = (await this.images()).map((image) => image.manifest.name)
    if (names.includes(name) || names.length < imagesMax) return
    throw new JangadaError('JGD_TOO_MANY', `this node has ${imagesMax} images already`, {
      hint: 'remove one that is not used any more: jangada image rm NAME',
    })
  }

  /** Moves what was received to its final place. */
  async #keep(manifest: ImageManifest): Promise<void> {
    const { disk } = this.#environment
    for (const file of manifest.files) {
      await disk.rename(`${incomingDirectory}/${file.name}`, filePath(file.sha256))
    }
    await disk.syncDirectory(filesDirectory)
  }

  /** Removes files that no image names any more. */
  async #removeUnnamed(): Promise<void> {
    const images = await this.images()
    const named = new Set(images.flatMap((image) => image.manifest.files.map((f) => f.sha256)))
    for (const sha256 of await this.#environment.disk.list(filesDirectory)) {
      if (!named.has(sha256)) await this.#environment.disk.remove(filePath(sha256))
    }
    await this.#environment.disk.syncDirectory(filesDirectory)
  }
}

const filePath = (sha256: string): string => `${filesDirectory}/${sha256}`
const recordPath = (name: string): string => `${imagesDirectory}/${name}.json`

const encodeRecord = ({ sha256, manifest }: StoredImage): Uint8Array =>
  utf8(`${JSON.stringify({ sha256, manifest }, null, 2)}\n`)

function decodeRecord(bytes: Uint8Array): StoredImage {
  const record = JSON.parse(fromUtf8(bytes)) as { sha256: string; manifest: unknown }
  assert(isSha256(record.sha256), 'an image record holds the digest of its archive')
  return {
    sha256: record.sha256,
    manifest: parseImageManifest(JSON.stringify(record.manifest)),
  }
}

async function readText(entry: ArchiveEntry): Promise<string> {
  if (entry.size > manifestBytesMax) {
    throw new JangadaError('JGD_IMAGE_FORMAT', `a manifest has at most ${manifestBytesMax} bytes`)
  }
  const parts: Uint8Array[] = []
  for await (const bytes of entry.content) parts.push(bytes)
  return fromUtf8(concat(parts))
}

function checkDigest(what: string, actual: string, expected: string): void {
  if (actual === expected) return
  throw new JangadaError('JGD_DIGEST_MISMATCH', `${what} has sha256 ${actual}, not ${expected}`, {
    hint: 'it was altered or cut short on the way: fetch it again',
  })
}
