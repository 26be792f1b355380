/** HTTP over a socket in a host's file system, which is within reach through /proc/PID/root. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { rackError } from './world.ts'

/** Of an answer; what the rack asks for is far smaller. */
const answerBytesMax = 8 * 1024 * 1024

export interface SocketRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly timeoutMs: number
  readonly body?:
    | { readonly file: string; readonly type: string }
    | { readonly text: string; readonly type: string }
}

/** The answer's body. Rejects with a plain error for a status of 300 and above. */
export async function askSocket(socketPath: string, asked: SocketRequest): Promise<string> {
  const response = await openSocket(socketPath, asked, AbortSignal.timeout(asked.timeoutMs))
  const parts: Buffer[] = []
  let bytes = 0
  const what = `${asked.method} ${asked.path}`
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw rackError(`${what}: the answer is too long`)
    parts.push(chunk)
  }
  const text = Buffer.concat(parts).toString()
  const status = response.statusCode ?? 0
  // A plain error: while a server starts, its refusals are worth another try.
  if (status >= 300) throw new Error(`${what}: ${status} ${text.trim().slice(0, 500)}`)
  return text
}

/** The answer as it comes, until `signal` aborts. For what has no end: events. */
export async function openSocket(
  socketPath: string,
  asked: Omit<SocketRequest, 'timeoutMs'>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { method, path, body } = asked
  const length = await bodyBytes(body)
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      method,
      path,
      headers: {
        host: 'localhost',
        ...(body === undefined ? {} : { 'content-type': body.type }),
        ...(method === 'GET' ? {} : { 'content-length': length }),
      },
      signal,
      // A pool would keep connections to hosts that have been switched off since.
      agent: false,
    })
    outgoing.once('response', resolve)
    // Not once: a host that is switched off may fail both our sending and our receiving.
    outgoing.on('error', reject)
    if (body === undefined) outgoing.end()
    else if ('text' in body) outgoing.end(body.text)
    else createReadStream(body.file).once('error', reject).pipe(outgoing)
  })
}

async function bodyBytes(body: SocketRequest['body']): Promise<number> {
  if (body === undefined) return 0
  return 'text' in body ? Buffer.byteLength(body.text) : (await stat(body.file)).size
}
