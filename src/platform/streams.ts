/**
 * Streams over TLS 1.3, both sides with a certificate of the cluster's CA. Node's own judgement
 * (`rejectUnauthorized`) is off, because it also judges dates and host names, and here the key is
 * the identity; ours is made in the handshake's own callback, before a byte is passed on.
 *
 * After the handshake the server sends one byte: accepted, or why not. TLS 1.3 lets a client
 * finish before the server has seen its certificate, and without that byte `connect` would
 * resolve for a peer that is about to be thrown out.
 */
import { createServer, connect as tlsConnect, type TLSSocket } from 'node:tls'
import type { Server } from 'node:tls'
import { assert } from '../base/assert.ts'
import { StreamError } from '../ports/streams.ts'
import type {
  ConnectOptions,
  PeerIdentity,
  Stream,
  StreamAddress,
  StreamListener,
  Streams,
} from '../ports/streams.ts'
import { TlsStream } from './tls-stream.ts'
import { judgePeer, TlsIdentity, type IdentityFiles, type Judgement } from './tls-identity.ts'

export interface TlsStreamsOptions {
  readonly identity: IdentityFiles
  /** Whether the records list this key. Asked in each handshake and by `dropUnlisted`. */
  readonly isAllowed: (peer: PeerIdentity) => boolean
  /** Told of each peer that was turned away; the caller bounds what it writes down. */
  readonly onRefused?: (refusal: StreamRefusal) => void
}

export interface StreamRefusal {
  readonly code: 'JGD_WRONG_CLUSTER' | 'JGD_KEY_UNKNOWN'
  readonly message: string
  readonly remoteAddress: string
}

export interface TlsStreams extends Streams {
  /** From the next handshake on, as after a renewal; open streams stay. */
  setIdentity(identity: IdentityFiles): void
  /** Closes the open streams of peers that are no longer allowed; returns how many. */
  dropUnlisted(): number
}

/** A peer that has not finished its handshake by then is given up. */
const handshakeTimeoutMs = 5_000
/** More peers than the largest cluster has, with two streams each. */
const streamsPerListenerMax = 16_384

const acceptedByte = 0x41
const refusalBytes = { JGD_WRONG_CLUSTER: 0x57, JGD_KEY_UNKNOWN: 0x4b } as const
const protocol = 'jangada-peer/1'

export function tlsStreams(options: TlsStreamsOptions): TlsStreams {
  return new NodeTlsStreams(options)
}

class NodeTlsStreams implements TlsStreams {
  readonly #options: TlsStreamsOptions
  readonly #servers = new Set<Server>()
  readonly #streams = new Set<TlsStream>()
  #identity: TlsIdentity

  constructor(options: TlsStreamsOptions) {
    this.#options = options
    this.#identity = new TlsIdentity(options.identity)
  }

  setIdentity(identity: IdentityFiles): void {
    this.#identity = new TlsIdentity(identity)
    for (const server of this.#servers) server.setSecureContext(this.#identity.secureContext)
  }

  dropUnlisted(): number {
    const unlisted = [...this.#streams].filter((stream) => !this.#options.isAllowed(stream.peer))
    for (const stream of unlisted) {
      stream.fail(new StreamError('refused', 'the peer is no longer listed'))
    }
    return unlisted.length
  }

  connect(to: StreamAddress, options: ConnectOptions): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const identity = this.#identity
      const socket = tlsConnect({
        ...identity.secureContext,
        host: to.host,
        port: to.port,
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ALPNProtocols: [protocol],
      })
      const fail = (error: StreamError): void => {
        clearTimeout(timer)
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => {
        fail(new StreamError('timeout', `${to.host}:${to.port} did not answer`))
      }, options.timeoutMs)
      const onError = (error: Error): void => fail(toStreamError(error, to))
      const onClose = (): void => {
        fail(new StreamError('closed', `${to.host}:${to.port} closed during the handshake`))
      }
      socket.on('error', onError).on('close', onClose)
      socket.once('secureConnect', () => {
        const judgement = this.#judge(socket, identity)
        if (judgement.kind === 'refused') {
          fail(new StreamError('untrusted', judgement.message))
          return
        }
        readVerdict(socket, (refusal) => {
          if (refusal !== undefined) {
            fail(refusal)
            return
          }
          clearTimeout(timer)
          const stream = this.#adopt(socket, judgement.peer)
          socket.off('error', onError).off('close', onClose)
          stream.handlers = options.handlers
          resolve(stream)
        })
      })
    })
  }

  listen(address: StreamAddress, onStream: (stream: Stream) => void): Promise<StreamListener> {
    const server = createServer({
      ...this.#identity.secureContext,
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      ALPNProtocols: [protocol],
    })
    server.maxConnections = streamsPerListenerMax
    server.on('secureConnection', (socket) => this.#welcome(socket, onStream))
    // Scanners and half-open connections end here; they have no identity to tell of.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return new Promise((resolve, reject) => {
      server.on('error', (error) => {
        reject(new StreamError('unreachable', `cannot listen on ${address.host}`, error))
      })
      server.listen({ host: address.host, port: address.port }, () => {
        this.#servers.add(server)
        const bound = server.address()
        assert(bound !== null && typeof bound === 'object', 'a TCP server has a port')
        resolve({ port: bound.port, close: () => this.#stop(server) })
      })
    })
  }

  /** Streams that are open stay; whoever owns them closes them. */
  #stop(server: Server): Promise<void> {
    this.#servers.delete(server)
    server.close()
    return Promise.resolve()
  }

  #welcome(socket: TLSSocket, onStream: (stream: Stream) => void): void {
    const judgement = this.#judge(socket, this.#identity)
    if (judgement.kind === 'refused') {
      socket.on('error', () => socket.destroy())
      socket.end(Uint8Array.of(refusalBytes[judgement.code]))
      setTimeout(() => socket.destroy(), handshakeTimeoutMs).unref()
      return
    }
    socket.write(Uint8Array.of(acceptedByte))
    const stream = this.#adopt(socket, judgement.peer)
    onStream(stream)
    assert(stream.hasHandlers, 'whoever gets a stream sets its handlers at once')
  }

  #judge(socket: TLSSocket, identity: TlsIdentity): Judgement {
    const judgement = judgePeer(socket, identity, this.#options.isAllowed)
    if (judgement.kind === 'refused') this.#options.onRefused?.(judgement)
    return judgement
  }

  #adopt(socket: TLSSocket, peer: PeerIdentity): TlsStream {
    const stream = new TlsStream(socket, peer, () => this.#streams.delete(stream))
    this.#streams.add(stream)
    return stream
  }
}

/** Waits for the server's byte; what follows it stays in the socket for the stream's handlers. */
function readVerdict(socket: TLSSocket, done: (refusal: StreamError | undefined) => void): void {
  const look = (): void => {
    const byte = socket.read(1) as Uint8Array | null
    if (byte === null) return
    socket.removeListener('readable', look)
    done(byte[0] === acceptedByte ? undefined : refusalOf(byte[0]))
  }
  socket.on('readable', look)
}

function refusalOf(byte: number | undefined): StreamError {
  const why =
    byte === refusalBytes.JGD_KEY_UNKNOWN
      ? 'JGD_KEY_UNKNOWN: the cluster does not list this key'
      : 'JGD_WRONG_CLUSTER: this certificate is not of its cluster'
  return new StreamError('refused', `the peer refused us (${why})`)
}

function toStreamError(error: Error, to: StreamAddress): StreamError {
  const code = 'code' in error ? String(error.code) : ''
  const reason = code.startsWith('ERR_SSL') || code === 'EPROTO' ? 'untrusted' : 'unreachable'
  return new StreamError(reason, `${to.host}:${to.port}: ${error.message}`, error)
}
