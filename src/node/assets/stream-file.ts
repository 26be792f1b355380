/** A file of a disk as a stream of bounded pieces, whole or in part. */
import { assert } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import type { Disk, DiskFile } from '../../ports/disk.ts'

/** A slow reader costs this much memory, and one piece is hashed or copied well within 5 ms. */
export const chunkBytesMax = 256 * 1024

/** Bytes from `start` (0 if absent), up to but not including `end` (the file's end if absent). */
export interface ByteRange {
  readonly start?: number
  readonly end?: number
}

export interface FileStream {
  /** The whole file's size. */
  readonly size: number
  readonly start: number
  readonly end: number
  /** Runs once, and closes the file when it ends or is left. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** For a caller that does not run `chunks`. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens `path` for reading `range`. Throws `JGD_BAD_REQUEST` when the range does not lie within
 * the file, and `DiskError`.
 */
export async function streamFile(disk: Disk, path: string, range: ByteRange): Promise<FileStream> {
  const file = await disk.open(path, { create: false })
  try {
    const size = await file.size()
    const { start = 0, end = size } = range
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end) {
      throw outside(start, end, size)
    }
    if (end > size) throw outside(start, end, size)
    let closed = false
    const close = async (): Promise<void> => {
      if (closed) return
      closed = true
      await file.close()
    }
    return { size, start, end, chunks: readChunks(file, start, end, close), close }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function* readChunks(
  file: DiskFile,
  start: number,
  end: number,
  close: () => Promise<void>,
): AsyncIterable<Uint8Array> {
  try {
    let at = start
    while (at < end) {
      const bytes = await file.read(at, Math.min(chunkBytesMax, end - at))
      assert(bytes.length > 0, 'a stored file does not become shorter')
      yield bytes
      at += bytes.length
    }
  } finally {
    await close()
  }
}

function outside(start: number, end: number, size: number): JangadaError {
  return new JangadaError('JGD_BAD_REQUEST', `no bytes ${start} to ${end} in a file of ${size}`, {
    details: { size },
  })
}
