/** `ports/HttpClient` over node:http: the unix socket, or TLS under a pin. */
import { type ClientRequest as RawRequest, type IncomingMessage, request as send } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { describeError, isJangadaError, JangadaError } from '../base/errors.ts'
import type { ClientRequest, ClientResponse, HttpClient, NodeTarget } from '../ports/http-client.ts'
import { connectPinned } from './pinned-https.ts'

/** To connect; an answer may take its time. */
const connectTimeoutMs = 10_000

/** A connection for each request: a command makes a handful, and then ends. */
export function openHttpClient(target: NodeTarget): HttpClient {
  return {
    request: async (request) => {
      const socket = await connectTo(target)
      return exchange(socket, target, request)
    },
  }
}

function connectTo(target: NodeTarget): Promise<Socket> {
  if (target.kind === 'tls') {
    return connectPinned(target, AbortSignal.timeout(connectTimeoutMs))
  }
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ path: target.path })
    socket.once('error', (error) => reject(unreachable(target, error)))
    socket.once('connect', () => resolve(socket))
  })
}

function exchange(
  socket: Socket,
  target: NodeTarget,
  { method, path, body, signal }: ClientRequest,
): Promise<ClientResponse> {
  return new Promise((resolve, reject) => {
    const raw: RawRequest = send({
      method,
      path,
      host: target.kind === 'tls' ? target.host : 'localhost',
      headers: {
        accept: 'application/json',
        ...(target.kind === 'tls' ? { authorization: `Bearer ${target.bearer}` } : {}),
        ...(body === undefined ? {} : { 'content-type': contentTypes[body.kind] }),
      },
      // Without an agent it is this connection that is used, and no other.
      createConnection: () => socket,
      ...(signal === undefined ? {} : { signal }),
    })
    let answered = false
    raw.once('error', (error) => {
      if (!answered) reject(unreachable(target, error))
    })
    raw.once('response', (response) => {
      answered = true
      resolve({ status: response.statusCode ?? 0, chunks: chunksOf(response, socket, target) })
    })
    sendBody(raw, body, (error) => {
      // The server may refuse an upload before it has read it; its answer counts then.
      if (!answered && isJangadaError(error)) reject(error)
    })
  })
}

const contentTypes = { json: 'application/json', stream: 'application/octet-stream' } as const

function sendBody(
  raw: RawRequest,
  body: ClientRequest['body'],
  onFailure: (error: unknown) => void,
): void {
  if (body === undefined) raw.end()
  else if (body.kind === 'json') raw.end(JSON.stringify(body.value))
  else {
    pipeline(Readable.from(body.chunks, { objectMode: false }), raw, (error) => {
      if (error !== null && error !== undefined) onFailure(error)
    })
  }
}

async function* chunksOf(
  response: IncomingMessage,
  socket: Socket,
  target: NodeTarget,
): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Uint8Array>
  } catch (error) {
    throw unreachable(target, error)
  } finally {
    socket.destroy()
  }
}

function unreachable(target: NodeTarget, error: unknown): JangadaError {
  const where = target.kind === 'tls' ? `${target.host}:${target.port}` : target.path
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const hint =
    target.kind === 'tls'
      ? 'check the address, and that a node is up there'
      : code === 'EACCES'
        ? 'only root may use the socket: try sudo'
        : 'is a node up on this machine? "jangada up" starts one; or name another: --endpoint'
  return new JangadaError('JGD_UNREACHABLE', `cannot reach ${where}: ${describeError(error)}`, {
    hint,
    cause: error,
  })
}
