/** `.tar.zst` files, read and written as streams: nothing is ever held whole in memory. */
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { extract, pack } from 'tar-stream'
import { JangadaError } from '../base/errors.ts'
import type { ArchiveEntry } from '../ports/archive.ts'

/**
 * The files of a `.tar.zst`, in their order. Each entry's content must be read to its end before
 * the next entry is asked for; leaving the loop early closes everything. Rejects with
 * `JGD_IMAGE_FORMAT` when the bytes are not such an archive or hold anything but plain files.
 * Errors of `source` itself pass through.
 */
export async function* readTarZstd(source: AsyncIterable<Uint8Array>): AsyncIterable<ArchiveEntry> {
  const entries = extract()
  let sourceError: unknown
  const watched = async function* (): AsyncIterable<Uint8Array> {
    try {
      yield* source
    } catch (error) {
      sourceError = error
      throw error
    }
  }
  const flow = pipeline(Readable.from(watched()), createZstdDecompress(), entries)
  // The loop below meets the same error; this keeps it from counting as unhandled.
  flow.catch(() => undefined)
  try {
    for await (const entry of entries) {
      if (entry.header.type !== 'file') {
        throw notAnArchive(`${entry.header.name} is a ${entry.header.type ?? 'thing without type'}`)
      }
      yield {
        name: entry.header.name,
        size: entry.header.size ?? 0,
        content: entry as AsyncIterable<Uint8Array>,
      }
    }
    await flow
  } catch (error) {
    if (sourceError !== undefined) throw sourceError
    throw error instanceof JangadaError ? error : notAnArchive('it cannot be unpacked', error)
  }
}

function notAnArchive(what: string, cause?: unknown): JangadaError {
  return new JangadaError('JGD_IMAGE_FORMAT', `not an archive of plain files: ${what}`, {
    hint: 'an image file is what `jangada image build` leaves: a .tar.zst',
    ...(cause === undefined ? {} : { cause }),
  })
}

export interface FileToPack {
  readonly name: string
  readonly size: number
  readonly from: { readonly path: string } | { readonly bytes: Uint8Array }
}

/**
 * Writes `files` as a `.tar.zst`. Owners and times are left out, so that the same files give the
 * same archive. What the image holds is compressed already: a low level costs little time.
 */
export async function writeTarZstd(path: string, files: readonly FileToPack[]): Promise<void> {
  const archive = pack()
  const written = pipeline(
    archive,
    createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    createWriteStream(path),
  )
  const fed = feed(archive, files)
  // Whichever fails first ends the other; both are awaited so that neither goes unheard.
  fed.catch((error: unknown) => archive.destroy(error as Error))
  await Promise.all([written, fed])
}

async function feed(archive: ReturnType<typeof pack>, files: readonly FileToPack[]): Promise<void> {
  for (const file of files) {
    const entry = archive.entry({
      name: file.name,
      size: file.size,
      mode: 0o644,
      mtime: new Date(0),
    })
    const content =
      'path' in file.from
        ? createReadStream(file.from.path, { highWaterMark: 256 * 1024 })
        : Readable.from([file.from.bytes])
    await pipeline(content, entry)
  }
  archive.finalize()
}
