/** The end of a log file. */
import { open } from 'node:fs/promises'

/** No more than this is read from the end of a file, however many lines are asked for. */
const tailBytesMax = 1024 * 1024

/** The last `lines` lines of `file`; empty when there is no such file. */
export async function tail(file: string, lines: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (handle === undefined) return ''
  try {
    const { size } = await handle.stat()
    const length = Math.min(size, tailBytesMax)
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await handle.read(buffer, 0, length, size - length)
    const text = buffer.toString('utf8', 0, bytesRead)
    return text.trimEnd().split('\n').slice(-lines).join('\n')
  } finally {
    await handle.close()
  }
}
