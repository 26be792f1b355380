/** HTTPS under a pin, behind `ports/PinnedHttps`. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect as tlsConnect, type TLSSocket } from 'node:tls'
import { concat } from '../base/bytes.ts'
import { describeError, JangadaError } from '../base/errors.ts'
import type {
  PinnedHttps,
  PinnedRequest,
  PinnedResponse,
  PinnedTarget,
} from '../ports/pinned-https.ts'
import { isSignedBy, spkiHashOf } from './certificates.ts'

export function nodePinnedHttps(): PinnedHttps {
  return {
    request: async (target, request) => {
      const deadline = AbortSignal.timeout(request.timeoutMs)
      const socket = await connectPinned(target, deadline)
      try {
        return await exchange(socket, target, request, deadline)
      } finally {
        socket.destroy()
      }
    },
  }
}

/** A TLS connection whose other side has proven, before anything is sent, that the pin is its. */
export function connectPinned(target: PinnedTarget, deadline: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { identity } = target
    const socket = tlsConnect({
      host: target.host,
      port: target.port,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ALPNProtocols: ['http/1.1'],
      ...(identity === undefined
        ? {}
        : { key: identity.privateKeyPem, cert: identity.certificatePem }),
    })
    const fail = (error: JangadaError): void => {
      socket.destroy()
      reject(error)
    }
    const onDeadline = (): void => fail(unreachable(target, 'it did not answer in time'))
    deadline.addEventListener('abort', onDeadline, { once: true })
    socket.on('error', (error) => fail(unreachable(target, error)))
    socket.on('close', () => fail(unreachable(target, 'it hung up')))
    socket.once('secureConnect', () => {
      deadline.removeEventListener('abort', onDeadline)
      if (hasPin(socket, target.pin)) resolve(socket)
      else fail(pinMismatch(target))
    })
  })
}

/**
 * The leaf's key is proven by the handshake; the leaf must be signed by a CA in the chain that
 * was sent, and that CA's key must be the pinned one. Who holds the CA's certificate but not its
 * key can send the right chain, but no leaf of his own that it signed.
 */
function hasPin(socket: TLSSocket, pin: string): boolean {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined || leaf.ca) return false
  const authority = leaf.issuerCertificate
  if (authority === undefined || !authority.ca || spkiHashOf(authority) !== pin) return false
  return isSignedBy(leaf, authority.publicKey)
}

function exchange(
  socket: TLSSocket,
  target: PinnedTarget,
  request: PinnedRequest,
  deadline: AbortSignal,
): Promise<PinnedResponse> {
  return new Promise((resolve, reject) => {
    // Plain HTTP over the socket that has proven itself: https would make another.
    const sent = httpRequest({
      method: request.method,
      path: request.path,
      host: target.host,
      port: target.port,
      headers: { ...request.headers, 'content-length': request.body?.length ?? 0 },
      createConnection: () => socket,
      signal: deadline,
    })
    sent.on('error', (error) => reject(unreachable(target, error)))
    sent.on('response', (response) => {
      readBody(response, request.responseBytesMax).then((body) => {
        resolve({ status: response.statusCode ?? 0, headers: headersOf(response), body })
      }, reject)
    })
    sent.end(request.body)
  })
}

async function readBody(response: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > bytesMax) {
      throw new JangadaError('JGD_TOO_LARGE', `the answer has more than ${bytesMax} bytes`)
    }
    parts.push(part)
  }
  return concat(parts)
}

function headersOf(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return headers
}

const unreachable = ({ host, port }: PinnedTarget, why: unknown): JangadaError =>
  new JangadaError('JGD_UNREACHABLE', `cannot reach ${host}:${port}: ${describeError(why)}`, {
    hint: 'check the address, and that a node is up there',
    ...(why instanceof Error ? { cause: why } : {}),
  })

const pinMismatch = ({ host, port }: PinnedTarget): JangadaError =>
  new JangadaError('JGD_PIN_MISMATCH', `${host}:${port} is not of the cluster that was named`, {
    hint: 'nothing secret was sent; check the address and the token',
  })
