/** The two framings of the engine's answers: JSON lines, and output with a header for each piece. */
import { JangadaError } from '../base/errors.ts'

/** Of one line of events or of a pull; the engine's are far shorter. */
const lineLengthMax = 1024 * 1024
/** Stream, three zeroes, length in big-endian order: Docker Engine API, "attach". */
const headerBytes = 8

/** One value for each line. Lines that are no JSON are passed over. */
export async function* jsonLines(source: AsyncIterable<Uint8Array>): AsyncGenerator {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of source) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineLengthMax) {
      throw new JangadaError('JGD_TOO_LARGE', 'the engine sent a line without end')
    }
    for (const line of lines) {
      const value = parse(line)
      if (value !== undefined) yield value
    }
  }
  const last = parse(rest)
  if (last !== undefined) yield last
}

function parse(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** Standard output and error as one, in the order in which the engine tells them. */
export async function* demultiplex(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let header = Buffer.alloc(0)
  let left = 0
  for await (const piece of source) {
    let chunk = Buffer.from(piece)
    while (chunk.length > 0) {
      if (left > 0) {
        yield chunk.subarray(0, left)
        const taken = Math.min(left, chunk.length)
        left -= taken
        chunk = chunk.subarray(taken)
        continue
      }
      const missing = headerBytes - header.length
      header = Buffer.concat([header, chunk.subarray(0, missing)])
      chunk = chunk.subarray(missing)
      if (header.length < headerBytes) break
      left = header.readUInt32BE(4)
      header = Buffer.alloc(0)
    }
  }
}
