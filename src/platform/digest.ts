/** SHA-256 over bytes that arrive in pieces. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Sha256 } from '../ports/digest.ts'

/** A new, empty digest. One piece should stay below a megabyte: hashing blocks the thread. */
export function newSha256(): Sha256 {
  const hash = createHash('sha256')
  return {
    update: (bytes) => void hash.update(bytes),
    digestHex: () => hash.digest('hex'),
  }
}

/** The digest of a text, in lower-case hex. */
export const sha256OfText = (text: string): string =>
  createHash('sha256').update(text, 'utf8').digest('hex')

/** The size and digest of the file at `path`, read in pieces of 256 KiB. */
export async function digestOfFile(path: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const bytes = piece as Uint8Array
    hash.update(bytes)
    size += bytes.length
  }
  return { sha256: hash.digest('hex'), size }
}
