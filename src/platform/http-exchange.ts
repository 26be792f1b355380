/** One HTTP exchange between fastify and the API: what comes in, what goes out, who hangs up. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { assertNever } from '../base/assert.ts'
import { concat, fromUtf8 } from '../base/bytes.ts'
import { errorCodes, isJangadaError, JangadaError } from '../base/errors.ts'
import type { ApiDoor, ApiHandler, ApiRequest, ApiResponse } from '../node/api/messages.ts'
import { judgePeer, type TlsIdentity } from './tls-identity.ts'

/** As `node/api` has it; of that room only types may be known here. */
const requestBodyBytesMax = 1_048_576

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** `closing` ends streams when the server is to stop. */
export async function answerWith(
  api: ApiHandler,
  door: ApiDoor,
  identity: TlsIdentity | undefined,
  closing: AbortSignal,
  { request, reply }: Exchange,
): Promise<unknown> {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  let answer: ApiResponse
  try {
    const asked = await readRequest(door, identity, request.raw)
    answer = await api.handle(asked, AbortSignal.any([gone.signal, closing]))
  } catch (error) {
    if (!isJangadaError(error)) throw error
    const value = { error: error.toBody() }
    answer = { status: errorCodes[error.code].status, body: { kind: 'json', value } }
  }
  return send(request.raw, reply, answer)
}

async function readRequest(
  door: ApiDoor,
  identity: TlsIdentity | undefined,
  raw: IncomingMessage,
): Promise<ApiRequest> {
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
    query: readQuery(mark < 0 ? '' : url.slice(mark + 1)),
    headers,
    body: isJson ? await readJson(raw) : undefined,
    ...(isJson ? {} : { upload: bytesOf(raw) }),
    remoteAddress: plainAddress(raw.socket.remoteAddress),
    localAddress: plainAddress(raw.socket.localAddress),
    ...(bearer === undefined ? {} : { bearer }),
    ...peerOf(raw, identity),
  }
}

function readQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (!query.has(name)) query.set(name, value)
  }
  return query
}

/** An IPv4 client of a socket that takes both kinds is shown as IPv6. */
const plainAddress = (address: string | undefined): string =>
  (address ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '')

/** Whoever stops reading early still wants to answer: the connection stays. */
const bytesOf = (raw: IncomingMessage): AsyncIterable<Uint8Array> =>
  raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>

async function readJson(raw: IncomingMessage): Promise<unknown> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of bytesOf(raw)) {
    bytes += part.length
    if (bytes > requestBodyBytesMax) {
      throw new JangadaError('JGD_TOO_LARGE', `a body has at most ${requestBodyBytesMax} bytes`)
    }
    parts.push(part)
  }
  if (bytes === 0) return undefined
  try {
    return JSON.parse(fromUtf8(concat(parts))) as unknown
  } catch {
    throw new JangadaError('JGD_BAD_REQUEST', 'the body is not JSON')
  }
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
      return reply.send(isHead ? '' : body.text)
    case 'bytes':
      reply.header('content-type', answer.headers?.['content-type'] ?? 'application/octet-stream')
      return reply.send(isHead ? '' : body.bytes)
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
