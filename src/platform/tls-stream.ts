/** One authenticated TLS connection behind `ports/Stream`. */
import type { TLSSocket } from 'node:tls'
import { assert } from '../base/assert.ts'
import type { PeerIdentity, Stream, StreamHandlers } from '../ports/streams.ts'
import { atTurnsEnd } from './turn.ts'

/** What was written before `close` has this long to leave; a dead peer never takes it. */
const closeLingerMs = 1_000
/** For middleboxes only; that a peer is dead, the heartbeats above find out much sooner. */
const keepAliveMs = 15_000
/** The peer's system knows of no such connection any more. */
const resets = new Set(['ECONNRESET', 'EPIPE'])

/**
 * What is written in one turn of the loop leaves at its end in one piece: a TLS record, a system
 * call and a packet of its own for each small message would cost more than all the rest of it.
 *
 * Invariant: `onClose` is called exactly once, and no handler is called after it. Nothing is read
 * before handlers are set, nor after `close`. The first handler is called a turn of the loop
 * after they are set, so that whoever awaits `connect` has the stream in hand by then.
 */
export class TlsStream implements Stream {
  readonly peer: PeerIdentity
  readonly #socket: TLSSocket
  readonly #onGone: () => void
  #handlers: StreamHandlers | undefined
  #cause: Error | undefined
  #isClosing = false
  #owesDrain = false
  /** Written in this turn, in order. Invariant: `#heldBytes` is the sum of their lengths. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  #hasBegun = false
  #isGone = false
  #endedByPeer = false

  /** `onGone` is called just before `onClose`. */
  constructor(socket: TLSSocket, peer: PeerIdentity, onGone: () => void) {
    this.peer = peer
    this.#socket = socket
    this.#onGone = onGone
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveMs)
    socket.on('error', (error) => {
      this.#cause ??= error
      if ('code' in error && resets.has(String(error.code))) this.#hearEnd()
    })
    socket.on('end', () => this.#hearEnd())
    socket.once('close', () => {
      this.#isGone = true
      this.#onGone()
      if (this.#hasBegun) this.#handlers?.onClose(this.#cause)
    })
  }

  get handlers(): StreamHandlers {
    assert(this.#handlers !== undefined, 'handlers are set before they are read')
    return this.#handlers
  }

  set handlers(handlers: StreamHandlers) {
    const isFirst = this.#handlers === undefined
    this.#handlers = handlers
    if (isFirst) setImmediate(() => this.#begin())
  }

  #begin(): void {
    this.#hasBegun = true
    if (this.#isGone) {
      this.#handlers?.onClose(this.#cause)
      return
    }
    this.#socket.on('data', (bytes: Uint8Array) => {
      if (!this.#isClosing) this.#handlers?.onData(bytes)
    })
    this.#socket.resume()
  }

  get hasHandlers(): boolean {
    return this.#handlers !== undefined
  }

  get endedByPeer(): boolean {
    return this.#endedByPeer
  }

  #hearEnd(): void {
    if (!this.#isClosing) this.#endedByPeer = true
  }

  get bufferedBytes(): number {
    return this.#heldBytes + this.#socket.writableLength
  }

  /** After `close`, or once the peer is gone, it goes nowhere: `onClose` tells. */
  write(bytes: Uint8Array): void {
    if (this.#isClosing || this.#socket.destroyed) return
    if (this.#held.push(bytes) === 1) atTurnsEnd(this.#flush)
    this.#heldBytes += bytes.length
    this.#owesDrain = true
  }

  readonly #flush = (): void => {
    const [first] = this.#held
    if (first === undefined) return
    const bytes = this.#held.length === 1 ? first : Buffer.concat(this.#held, this.#heldBytes)
    this.#held = []
    this.#heldBytes = 0
    if (!this.#socket.destroyed) this.#socket.write(bytes, this.#afterWrite)
  }

  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#flush()
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), closeLingerMs).unref()
  }

  /** Ends it at once, unsent bytes and all; `cause` goes to `onClose`. */
  fail(cause: Error): void {
    this.#isClosing = true
    this.#cause ??= cause
    this.#socket.destroy()
  }

  readonly #afterWrite = (): void => {
    if (!this.#owesDrain || this.#isClosing || this.#socket.destroyed) return
    if (this.bufferedBytes > 0) return
    this.#owesDrain = false
    this.#handlers?.onDrain()
  }
}
