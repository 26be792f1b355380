/** The little of HTTP/1.1 (RFC 9112) that puts and reads of our API need: one request at a time. */
import type { Socket } from 'node:net'
import { type Connection, type Endpoint, openSocket, type Operation } from './connection.ts'

const headersEnd = Buffer.from('\r\n\r\n')
/** How a read of a key that is not there begins to answer. */
const noItem = '"item":null'
const lengthPattern = /\r\ncontent-length: *(\d+)/i

export async function openHttp(endpoint: Endpoint, token: string | undefined): Promise<Connection> {
  const socket = await openSocket(endpoint, 'http/1.1')
  return new HttpConnection(socket, token)
}

interface Waiter {
  readonly resolve: (ok: boolean) => void
  readonly reject: (error: Error) => void
}

class HttpConnection implements Connection {
  readonly #socket: Socket
  readonly #common: string
  #waiter: Waiter | undefined
  #unread: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, token: string | undefined) {
    this.#socket = socket
    const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
    this.#common = `host: jangada\r\n${authorization}`
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  request({ keys, value }: Operation): Promise<boolean> {
    const path = `/v1/kv?key=${keys[0]}`
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      if (value === undefined) {
        this.#socket.write(`GET ${path} HTTP/1.1\r\n${this.#common}\r\n`)
      } else if (keys.length === 1) this.#send('PUT', path, { value })
      else
        this.#send('POST', '/v1/kv/txn', { then: keys.map((key) => ({ op: 'put', key, value })) })
    })
  }

  #send(method: string, path: string, content: object): void {
    const body = JSON.stringify(content)
    const about = `content-type: application/json\r\ncontent-length: ${body.length}\r\n`
    this.#socket.write(`${method} ${path} HTTP/1.1\r\n${this.#common}${about}\r\n${body}`)
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    const all = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes])
    this.#unread = all
    const end = all.indexOf(headersEnd)
    if (end < 0) return
    const head = all.toString('latin1', 0, end)
    const length = Number(lengthPattern.exec(head)?.[1] ?? 0)
    if (all.length < end + headersEnd.length + length) return
    this.#unread = Buffer.from(all.subarray(end + headersEnd.length + length))
    const waiter = this.#waiter
    this.#waiter = undefined
    const isThere = !all.includes(noItem, end)
    waiter?.resolve(head.startsWith('HTTP/1.1 2') && isThere)
  }

  #fail(error: Error): void {
    this.#waiter?.reject(error)
    this.#waiter = undefined
  }
}
