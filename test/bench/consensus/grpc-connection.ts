/**
 * The little of HTTP/2 (RFC 9113) and gRPC that two unary calls of etcd need, over one socket and
 * many streams. Written by hand so that the generator costs the peer no more than it costs us:
 * node:http2 takes several times the processor time of the raw frames.
 */
import type { Socket } from 'node:net'
import { type Connection, type Endpoint, openSocket, type Operation } from './connection.ts'

const frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, window: 8 } as const
const flags = { endStream: 1, ack: 1, endHeaders: 4 } as const
const headerBytes = 9
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const windowMax = 0x7fffffff
const windowAtFirst = 65_535
const initialWindowSize = 4

interface Waiter {
  readonly resolve: (ok: boolean) => void
  readonly reject: (error: Error) => void
  answerBytes: number
}

export async function openGrpc(endpoint: Endpoint): Promise<Connection> {
  const socket = await openSocket(endpoint, 'h2')
  return new GrpcConnection(socket, endpoint.kind === 'tls' ? 'https' : 'http')
}

class GrpcConnection implements Connection {
  readonly #socket: Socket
  readonly #putHeaders: Buffer
  readonly #rangeHeaders: Buffer
  readonly #txnHeaders: Buffer
  readonly #waiting = new Map<number, Waiter>()
  /** Bodies that wait for the server to take more, oldest first. */
  readonly #held: { readonly stream: number; readonly body: Buffer }[] = []
  #unread: Buffer = Buffer.alloc(0)
  #nextStream = 1
  #window = windowAtFirst

  constructor(socket: Socket, scheme: 'http' | 'https') {
    this.#socket = socket
    this.#putHeaders = requestHeaders(scheme, '/etcdserverpb.KV/Put')
    this.#rangeHeaders = requestHeaders(scheme, '/etcdserverpb.KV/Range')
    this.#txnHeaders = requestHeaders(scheme, '/etcdserverpb.KV/Txn')
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
    const settings = Buffer.alloc(6)
    settings.writeUInt16BE(initialWindowSize, 0)
    settings.writeUInt32BE(windowMax, 2)
    socket.write(preface)
    socket.write(frameOf(frame.settings, 0, 0, settings))
    socket.write(frameOf(frame.window, 0, 0, uint32(windowMax - windowAtFirst)))
  }

  request(operation: Operation): Promise<boolean> {
    const stream = this.#nextStream
    this.#nextStream += 2
    const { headers, message } = this.#callOf(operation)
    return new Promise((resolve, reject) => {
      this.#waiting.set(stream, { resolve, reject, answerBytes: 0 })
      this.#socket.cork()
      this.#socket.write(frameOf(frame.headers, flags.endHeaders, stream, headers))
      this.#held.push({ stream, body: grpcMessage(message) })
      this.#sendHeld()
      process.nextTick(() => this.#socket.uncork())
    })
  }

  #callOf({ keys, value }: Operation): { readonly headers: Buffer; readonly message: Buffer } {
    const [key] = keys
    if (value === undefined) return { headers: this.#rangeHeaders, message: rangeRequest(key) }
    if (keys.length === 1) return { headers: this.#putHeaders, message: putRequest(key, value) }
    return { headers: this.#txnHeaders, message: txnRequest(keys, value) }
  }

  close(): void {
    this.#socket.destroy()
  }

  #sendHeld(): void {
    for (;;) {
      const [next] = this.#held
      if (next === undefined || next.body.length > this.#window) return
      this.#held.shift()
      this.#window -= next.body.length
      this.#socket.write(frameOf(frame.data, flags.endStream, next.stream, next.body))
    }
  }

  #take(bytes: Buffer): void {
    const all = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes])
    let at = 0
    while (all.length - at >= headerBytes) {
      const length = all.readUIntBE(at, 3)
      const end = at + headerBytes + length
      if (end > all.length) break
      const kind = all[at + 3] ?? 0
      const flag = all[at + 4] ?? 0
      const stream = all.readUInt32BE(at + 5) & windowMax
      this.#takeFrame(kind, flag, stream, all.subarray(at + headerBytes, end))
      at = end
    }
    this.#unread = Buffer.from(all.subarray(at))
  }

  #takeFrame(kind: number, flag: number, stream: number, payload: Buffer): void {
    const waiter = this.#waiting.get(stream)
    if (kind === frame.data && waiter !== undefined) waiter.answerBytes += payload.length
    if ((kind === frame.data || kind === frame.headers) && (flag & flags.endStream) !== 0) {
      this.#waiting.delete(stream)
      // A call that fails answers with trailers alone.
      waiter?.resolve(waiter.answerBytes > 0)
    }
    if (kind === frame.reset) {
      this.#waiting.delete(stream)
      waiter?.reject(new Error('the server reset the stream'))
    }
    if (kind === frame.settings && (flag & flags.ack) === 0) {
      this.#socket.write(frameOf(frame.settings, flags.ack, 0, Buffer.alloc(0)))
    }
    if (kind === frame.ping && (flag & flags.ack) === 0) {
      this.#socket.write(frameOf(frame.ping, flags.ack, 0, payload))
    }
    if (kind === frame.window && stream === 0) {
      this.#window += payload.readUInt32BE(0)
      this.#sendHeld()
    }
    if (kind === frame.goAway) this.#fail(new Error('the server went away'))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

function frameOf(kind: number, flag: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = kind
  bytes[4] = flag
  bytes.writeUInt32BE(stream, 5)
  payload.copy(bytes, headerBytes)
  return bytes
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** HPACK (RFC 7541) with the static table alone: nothing to remember between requests. */
function requestHeaders(scheme: 'http' | 'https', path: string): Buffer {
  const post = 0x83
  const schemeField = scheme === 'http' ? 0x86 : 0x87
  const pathName = 0x04
  const authorityName = 0x01
  const contentTypeName = [0x0f, 31 - 15]
  const newName = 0x00
  return Buffer.concat([
    Buffer.from([post, schemeField, pathName]),
    hpackText(path),
    Buffer.from([authorityName]),
    hpackText('etcd'),
    Buffer.from(contentTypeName),
    hpackText('application/grpc'),
    Buffer.from([newName]),
    hpackText('te'),
    hpackText('trailers'),
  ])
}

/** Up to 126 bytes, not compressed. */
const hpackText = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text)])

const grpcMessage = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0]), uint32(message.length), message])

/** PutRequest: 1 key, 2 value. */
const putRequest = (key: string, value: string): Buffer =>
  Buffer.concat([protobufText(1, key), protobufText(2, value)])

/** TxnRequest: 2 success, each a RequestOp: 2 request_put. */
const txnRequest = (keys: readonly string[], value: string): Buffer =>
  Buffer.concat(keys.map((key) => protobufBytes(2, protobufBytes(2, putRequest(key, value)))))

/** RangeRequest: 1 key; without `serializable` a read is linearizable. */
const rangeRequest = (key: string): Buffer => protobufText(1, key)

const protobufText = (field: number, text: string): Buffer =>
  protobufBytes(field, Buffer.from(text))

/** Up to 16,383 bytes. */
function protobufBytes(field: number, bytes: Buffer): Buffer {
  const low = (bytes.length & 0x7f) | (bytes.length > 0x7f ? 0x80 : 0)
  const length = bytes.length > 0x7f ? [low, bytes.length >> 7] : [low]
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), bytes])
}
