/** One HTTP exchange between fastify and the API: what comes in, what goes out, who hangs up. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { assertNever } from '../base/assert.ts'
import { concat, fromUtf8, utf8 } from '../base/bytes.ts'
import { errorCodes, isJangadaError, JangadaError } from '../base/errors.ts'
import type { ApiDoor, ApiHandler, ApiRequest, ApiResponse } from '../node/api/messages.ts'
import { judgePeer, type TlsIdentity } from './tls-identity.ts'

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** Made once: a reason of its own for each request would be an error with a stack trace. */
const hungUp = new JangadaError('JGD_SHUTTING_DOWN', 'nobody waits for this answer any more')

/**
 * The exchanges that are going on at one door. Each has its own signal: one composed with the
 * door's (`AbortSignal.any`) would be kept as long as the door is open.
 */
export class OpenExchanges {
  readonly #open = new Set<AbortController>()
  /** A JSON body is there whole by then, or refused. */
  readonly bodyDeadlineMs: number

  constructor(bodyDeadlineMs: number) {
    this.bodyDeadlineMs = bodyDeadlineMs
  }
  #closing = false

  /** Aborts when the client hangs up before the answer has gone out, or the door closes. */
  begin({ reply: { raw } }: Exchange): AbortController {
    const gone = new AbortController()
    if (this.#closing) gone.abort(hungUp)
    this.#open.add(gone)
    raw.once('close', () => {
      this.#open.delete(gone)
      if (!raw.writableFinished) gone.abort(hungUp)
    })
    return gone
  }

  /** Ends those that go on and all that come. */
  close(): void {
    this.#closing = true
    for (const gone of this.#open) gone.abort(hungUp)
  }
}

export async function answerWith(
  api: ApiHandler,
  door: ApiDoor,
  identity: TlsIdentity | undefined,
  open: OpenExchanges,
  exchange: Exchange,
): Promise<unknown> {
  const { request, reply } = exchange
  const gone = open.begin(exchange)
  let answer: ApiResponse
  try {
    const asked = readRequest(door, identity, request.raw, open.bodyDeadlineMs)
    answer = await api.handle(asked, gone.signal)
  } catch (error) {
    if (!isJangadaError(error)) throw error
    const value = { error: error.toBody() }
    answer = { status: errorCodes[error.code].status, body: { kind: 'json', value } }
  }
  if (request.method === 'HEAD' && answer.body.kind === 'stream') {
    // Nobody is going to read it, or to hang up.
    gone.abort(hungUp)
    await endOf(answer.body.chunks)
  }
  return send(request.raw, reply, answer)
}

/** Lets go of what waits for a reader. What goes wrong with it is of no interest any more. */
async function endOf(chunks: AsyncIterable<unknown>): Promise<void> {
  try {
    await chunks[Symbol.asyncIterator]().return?.()
  } catch {
    // It has ended all the same.
  }
}

function readRequest(
  door: ApiDoor,
  identity: TlsIdentity | undefined,
  raw: IncomingMessage,
  bodyDeadlineMs: number,
): ApiRequest {
  const url = raw.url ?? '/'
  const mark = url.indexOf('?')
  const headers: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(raw.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  const bearer = /^Bearer +(\S+) *$/i.exec(headers['authorization'] ?? '')?.[1]
  const isJson = /^application\/json\b/i.test(headers['content-type'] ?? 'application/json')
  return {
    door,
    method: raw.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    ...readQuery(mark < 0 ? '' : url.slice(mark + 1)),
    headers,
    readBody: (most) => (isJson ? readJson(raw, most, bodyDeadlineMs) : Promise.resolve(undefined)),
    ...(isJson ? {} : { upload: bytesOf(raw) }),
    remoteAddress: plainAddress(raw.socket.remoteAddress),
    localAddress: plainAddress(raw.socket.localAddress),
    ...(bearer === undefined ? {} : { bearer }),
    ...peerOf(raw, identity),
  }
}

function readQuery(text: string): Pick<ApiRequest, 'query' | 'repeated'> {
  const query = new Map<string, string>()
  const repeated = new Set<string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (query.has(name)) repeated.add(name)
    else query.set(name, value)
  }
  return repeated.size === 0 ? { query } : { query, repeated }
}

/** An IPv4 client of a socket that takes both kinds is shown as IPv6. */
const plainAddress = (address: string | undefined): string =>
  (address ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '')

/** Whoever stops reading early still wants to answer: the connection stays. */
const bytesOf = (raw: IncomingMessage): AsyncIterable<Uint8Array> =>
  raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>

/** By events: an iterator costs more than all the rest of a small request. */
function readJson(raw: IncomingMessage, bytesMax: number, deadlineMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    let bytes = 0
    const late = setTimeout(() => {
      raw.off('data', take)
      reject(new JangadaError('JGD_TOO_SLOW', `the body was not here in ${deadlineMs / 1000} s`))
    }, deadlineMs)
    const take = (part: Uint8Array): void => {
      bytes += part.length
      if (bytes <= bytesMax) return void parts.push(part)
      raw.off('data', take)
      clearTimeout(late)
      reject(new JangadaError('JGD_TOO_LARGE', `the body here has at most ${bytesMax} bytes`))
    }
    raw.on('data', take)
    raw.once('error', reject)
    raw.once('close', () => clearTimeout(late))
    raw.once('end', () => {
      clearTimeout(late)
      let body: unknown
      try {
        if (bytes > 0) body = JSON.parse(fromUtf8(concat(parts)))
      } catch {
        reject(new JangadaError('JGD_BAD_REQUEST', 'the body is not JSON'))
        return
      }
      resolve(body)
    })
  })
}

/** Nobody must show a certificate, but who shows one must hold one of this cluster. */
function peerOf(
  raw: IncomingMessage,
  identity: TlsIdentity | undefined,
): Pick<ApiRequest, 'peer' | 'peerRefusal'> {
  const { socket } = raw
  if (identity === undefined || !(socket instanceof TLSSocket)) return {}
  if (socket.getPeerX509Certificate() === undefined) return {}
  // Whether the key is still listed is the API's question: it has the records.
  const judgement = judgePeer(socket, identity, () => true)
  if (judgement.kind === 'accepted') return { peer: judgement.peer }
  return { peerRefusal: { code: judgement.code, message: judgement.message } }
}

function send(raw: IncomingMessage, reply: FastifyReply, answer: ApiResponse): unknown {
  reply.code(answer.status)
  if (answer.headers !== undefined) reply.headers(answer.headers)
  if (!raw.complete) {
    // A client that still sends would not look for the answer; and this connection has had it.
    raw.resume()
    reply.header('connection', 'close')
  }
  const { body } = answer
  const isHead = raw.method === 'HEAD'
  switch (body.kind) {
    case 'json':
      reply.header('content-type', 'application/json; charset=utf-8')
      return reply.send(isHead ? '' : JSON.stringify(body.value))
    case 'text':
      reply.header('content-type', body.type)
      // In bytes: to the type of a text that is JSON fastify adds a parameter.
      return reply.send(utf8(isHead ? '' : body.text))
    case 'bytes':
      reply.header('content-type', answer.headers?.['content-type'] ?? 'application/octet-stream')
      return reply.send(isHead ? '' : body.bytes)
    case 'none':
      return reply.send()
    case 'stream':
      reply.header('content-type', body.type)
      return isHead ? reply.send('') : reply.send(streamOf(body.chunks))
    default:
      return assertNever(body)
  }
}

/** One chunk ahead and no more: a slow client makes a slow source. */
const streamOf = (chunks: AsyncIterable<Uint8Array | string>): Readable =>
  Readable.from(chunks, { objectMode: true, highWaterMark: 1 })
