/**
 * The Docker engine of a host, spoken to from outside through /proc/PID/root. No client program
 * is started, and no namespace is entered.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { rackError } from './world.ts'

const askTimeoutMs = 3_000
/** Loading copies hundreds of megabytes on a slow disk. */
const loadTimeoutMs = 300_000
/** Of an answer; what we ask for is far smaller. */
const answerBytesMax = 8 * 1024 * 1024

export const engineSocket = (initPid: number): string => `/proc/${initPid}/root/run/docker.sock`

export interface EngineInfo {
  readonly id: string
  /** The engine's host name. While a host is still mounting, this may be another engine's. */
  readonly name: string
  readonly liveRestore: boolean
}

export async function engineInfo(initPid: number): Promise<EngineInfo> {
  const info = JSON.parse(await ask(initPid, 'GET', '/info')) as {
    ID: string
    Name: string
    LiveRestoreEnabled: boolean
  }
  return { id: info.ID, name: info.Name, liveRestore: info.LiveRestoreEnabled }
}

/** `docker load`. Throws `JGD_RACK` when the engine does not take the file. */
export async function loadImage(initPid: number, tarFile: string): Promise<void> {
  const answer = await ask(initPid, 'POST', '/images/load?quiet=1', tarFile)
  if (answer.includes('"errorDetail"')) throw rackError(`docker load of ${tarFile}: ${answer}`)
}

async function ask(
  initPid: number,
  method: 'GET' | 'POST',
  path: string,
  bodyFile?: string,
): Promise<string> {
  const length = bodyFile === undefined ? 0 : (await stat(bodyFile)).size
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({
      socketPath: engineSocket(initPid),
      method,
      path,
      headers: { 'content-type': 'application/x-tar', 'content-length': length, host: 'docker' },
      signal: AbortSignal.timeout(bodyFile === undefined ? askTimeoutMs : loadTimeoutMs),
      // A pool would keep connections to hosts that have been switched off since.
      agent: false,
    })
    outgoing.once('response', resolve)
    // Not once: a host that is switched off may fail both our sending and our receiving.
    outgoing.on('error', reject)
    if (bodyFile === undefined) outgoing.end()
    else createReadStream(bodyFile).once('error', reject).pipe(outgoing)
  })
  const parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw rackError(`${method} ${path}: the answer is too long`)
    parts.push(chunk)
  }
  const text = Buffer.concat(parts).toString()
  const status = response.statusCode ?? 0
  // A plain error: while an engine starts, its refusals are worth another try.
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text.trim().slice(0, 500)}`)
  return text
}
