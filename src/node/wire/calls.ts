/**
 * Requests and answers on one stream, both ways: a call has one answer, a feed has many items.
 * A feed's sender may be at most `feedWindow` items ahead of its reader. A silent peer is found
 * by pings, because a machine that lost its power sends no FIN.
 */
import { Packr } from 'msgpackr'
import { assert } from '../../base/assert.ts'
import { describeError, type ErrorBody, isJangadaError, JangadaError } from '../../base/errors.ts'
import { type Clock, type Timer } from '../../ports/clock.ts'
import type { PeerIdentity, Stream } from '../../ports/streams.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import type { Greeted } from './handshake.ts'
import { frameKind } from './kinds.ts'

/** More requests in flight on one stream than this are refused with JGD_OVERLOADED. */
export const maxInFlight = 4096
export const feedWindow = 64
const pingEveryMs = 300
/**
 * Four pings unanswered. Sooner than a machine counts as lost (1.75 s): who watches through a
 * member that died with another machine must see again by the time its own work changes.
 */
const silentAfterMs = 1200

export interface CallContext {
  readonly peer: PeerIdentity
}

/** What this side answers. `body` comes from outside: each method checks its shape. */
export interface CallMethods {
  readonly calls: ReadonlyMap<string, (body: unknown, context: CallContext) => Promise<unknown>>
  readonly feeds: ReadonlyMap<
    string,
    (body: unknown, context: CallContext, signal: AbortSignal) => AsyncIterable<unknown>
  >
}

interface OutgoingCall {
  readonly kind: 'call'
  readonly resolve: (body: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: Timer
}

interface OutgoingFeed {
  readonly kind: 'feed'
  readonly items: unknown[]
  wake: (() => void) | undefined
  ended: Error | 'ended' | undefined
}

interface IncomingFeed {
  readonly abort: AbortController
  /** Items that may still be sent. Invariant: 0 <= credit <= feedWindow. */
  credit: number
  wake: (() => void) | undefined
}

const packr = new Packr({ useRecords: false })

export class CallStream {
  readonly #stream: Stream
  readonly #methods: CallMethods
  readonly #clock: Clock
  readonly #onClose: (cause: Error | undefined) => void
  readonly #reader = new FrameReader()
  readonly #outgoing = new Map<number, OutgoingCall | OutgoingFeed>()
  readonly #incoming = new Map<number, IncomingFeed | 'call'>()
  #nextId = 1
  #heardAtMs: number
  #pingTimer: Timer | undefined
  #closed = false

  constructor(
    greeted: Greeted,
    methods: CallMethods,
    clock: Clock,
    onClose: (cause: Error | undefined) => void,
  ) {
    this.#methods = methods
    this.#clock = clock
    this.#onClose = onClose
    this.#heardAtMs = clock.monotonicMs()
    this.#stream = greeted.stream
    this.#schedulePing()
    greeted.take({
      onData: (bytes) => this.#receive(bytes),
      onDrain: () => undefined,
      onClose: (cause) => this.#ended(cause),
    })
  }

  get peer(): PeerIdentity {
    return this.#stream.peer
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Rejects with the other side's coded error, with JGD_OUTCOME_UNKNOWN when no answer came in
   * `timeoutMs` or the stream broke, or with JGD_UNREACHABLE when it was broken before.
   */
  call(method: string, body: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#closed) return Promise.reject(unreachable())
    if (this.#outgoing.size >= maxInFlight) return Promise.reject(overloaded())
    const id = this.#nextId
    this.#nextId += 1
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#outgoing.delete(id)
        reject(new JangadaError('JGD_OUTCOME_UNKNOWN', `no answer to ${method} in ${timeoutMs} ms`))
      })
      this.#outgoing.set(id, { kind: 'call', resolve, reject, timer })
      this.#send(frameKind.request, [id, method, body, 0])
    })
  }

  /** Ends without error when `signal` aborts; rejects like `call` otherwise. */
  async *feed(method: string, body: unknown, signal: AbortSignal): AsyncGenerator {
    if (this.#closed) throw unreachable()
    if (this.#outgoing.size >= maxInFlight) throw overloaded()
    const id = this.#nextId
    this.#nextId += 1
    const feed: OutgoingFeed = { kind: 'feed', items: [], wake: undefined, ended: undefined }
    this.#outgoing.set(id, feed)
    const stop = (): void => {
      feed.ended ??= 'ended'
      feed.wake?.()
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      this.#send(frameKind.request, [id, method, body, 1])
      while (!signal.aborted) {
        if (feed.items.length > 0) {
          const items = feed.items.splice(0)
          this.#send(frameKind.credit, [id, items.length])
          yield* items
        } else if (feed.ended === 'ended') return
        else if (feed.ended !== undefined) throw feed.ended
        else {
          await new Promise<void>((resolve) => {
            feed.wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', stop)
      if (this.#outgoing.delete(id)) this.#send(frameKind.cancel, [id])
    }
  }

  close(): void {
    this.#stream.close()
  }

  #receive(bytes: Uint8Array): void {
    this.#heardAtMs = this.#clock.monotonicMs()
    const frames = this.#reader.push(bytes)
    if (frames === undefined) {
      this.#stream.close()
      return
    }
    for (const frame of frames) {
      if (this.#closed) return
      if (!this.#take(frame.kind, frame.payload)) {
        this.#stream.close()
        return
      }
    }
  }

  /** False when the frame is not one of ours. */
  #take(kind: number, payload: Uint8Array): boolean {
    if (kind === frameKind.pong) return true
    if (kind === frameKind.ping) {
      this.#stream.write(encodeFrame(frameKind.pong, new Uint8Array(0)))
      return true
    }
    let value: unknown
    try {
      value = packr.unpack(payload)
    } catch {
      return false
    }
    if (!Array.isArray(value) || !Number.isSafeInteger(value[0])) return false
    const parts = value as [number, ...unknown[]]
    switch (kind) {
      case frameKind.request:
        return this.#request(parts)
      case frameKind.answer:
      case frameKind.failure:
        this.#settle(parts[0], kind === frameKind.answer, parts[1])
        return true
      case frameKind.item:
      case frameKind.end:
        return this.#feedFrame(kind, parts)
      case frameKind.cancel:
      case frameKind.credit:
        return this.#feedControl(kind, parts)
      default:
        return false
    }
  }

  #settle(id: number, ok: boolean, body: unknown): void {
    const call = this.#outgoing.get(id)
    if (call === undefined) return
    this.#outgoing.delete(id)
    const error = ok ? undefined : readError(body)
    if (call.kind === 'call') {
      call.timer.cancel()
      if (error === undefined) call.resolve(body)
      else call.reject(error)
    } else {
      call.ended = error ?? 'ended'
      call.wake?.()
    }
  }

  #feedFrame(kind: number, parts: readonly unknown[]): boolean {
    const feed = this.#outgoing.get(parts[0] as number)
    if (feed === undefined) return true
    if (feed.kind !== 'feed') return false
    if (kind === frameKind.item) {
      if (feed.items.length >= feedWindow) return false
      feed.items.push(parts[1])
    } else feed.ended = 'ended'
    feed.wake?.()
    return true
  }

  #feedControl(kind: number, parts: readonly unknown[]): boolean {
    const feed = this.#incoming.get(parts[0] as number)
    if (feed === undefined || feed === 'call') return true
    if (kind === frameKind.cancel) feed.abort.abort()
    else {
      const more = parts[1]
      if (!Number.isSafeInteger(more)) return false
      feed.credit = Math.min(feedWindow, feed.credit + (more as number))
    }
    feed.wake?.()
    return true
  }

  #request(parts: readonly unknown[]): boolean {
    const [id, method, body, isFeed] = parts
    if (typeof id !== 'number' || typeof method !== 'string') return false
    if (this.#incoming.has(id)) return false
    if (this.#incoming.size >= maxInFlight) {
      this.#fail(id, overloaded())
      return true
    }
    if (isFeed === 1) void this.#serveFeed(id, method, body)
    else void this.#serveCall(id, method, body)
    return true
  }

  async #serveCall(id: number, method: string, body: unknown): Promise<void> {
    this.#incoming.set(id, 'call')
    try {
      const handler = this.#methods.calls.get(method)
      if (handler === undefined) throw unknownMethod(method)
      this.#answer(id, method, await handler(body, { peer: this.peer }))
    } catch (error) {
      this.#fail(id, error)
    } finally {
      this.#incoming.delete(id)
    }
  }

  /** What was asked is done by now: an answer that cannot be sent must not look like a refusal. */
  #answer(id: number, method: string, body: unknown): void {
    try {
      this.#send(frameKind.answer, [id, body])
    } catch (cause) {
      const why = `${method} was carried out, but its answer cannot be sent`
      throw new JangadaError('JGD_OUTCOME_UNKNOWN', why, { cause })
    }
  }

  async #serveFeed(id: number, method: string, body: unknown): Promise<void> {
    const feed: IncomingFeed = {
      abort: new AbortController(),
      credit: feedWindow,
      wake: undefined,
    }
    this.#incoming.set(id, feed)
    try {
      const handler = this.#methods.feeds.get(method)
      if (handler === undefined) throw unknownMethod(method)
      for await (const item of handler(body, { peer: this.peer }, feed.abort.signal)) {
        while (feed.credit === 0 && !feed.abort.signal.aborted) {
          await new Promise<void>((resolve) => {
            feed.wake = resolve
          })
        }
        if (feed.abort.signal.aborted) break
        assert(feed.credit > 0, 'a feed sends within its credit')
        feed.credit -= 1
        this.#send(frameKind.item, [id, item])
      }
      this.#send(frameKind.end, [id])
    } catch (error) {
      if (!feed.abort.signal.aborted) this.#fail(id, error)
    } finally {
      this.#incoming.delete(id)
    }
  }

  #fail(id: number, error: unknown): void {
    this.#send(frameKind.failure, [id, toBody(error)])
  }

  #send(kind: number, value: unknown): void {
    if (!this.#closed) this.#stream.write(encodeFrame(kind, packr.pack(value)))
  }

  #schedulePing(): void {
    this.#pingTimer = this.#clock.after(pingEveryMs, () => {
      if (this.#closed) return
      if (this.#clock.monotonicMs() - this.#heardAtMs > silentAfterMs) {
        this.#stream.close()
        return
      }
      this.#stream.write(encodeFrame(frameKind.ping, new Uint8Array(0)))
      this.#schedulePing()
    })
  }

  #ended(cause: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#pingTimer?.cancel()
    for (const call of this.#outgoing.values()) {
      const error = new JangadaError('JGD_OUTCOME_UNKNOWN', 'the connection broke', { cause })
      if (call.kind === 'call') {
        call.timer.cancel()
        call.reject(error)
      } else {
        call.ended = error
        call.wake?.()
      }
    }
    this.#outgoing.clear()
    for (const feed of this.#incoming.values()) {
      if (feed === 'call') continue
      feed.abort.abort()
      feed.wake?.()
    }
    this.#onClose(cause)
  }
}

const unreachable = (): JangadaError =>
  new JangadaError('JGD_UNREACHABLE', 'the connection is closed')
const overloaded = (): JangadaError =>
  new JangadaError('JGD_OVERLOADED', `more than ${maxInFlight} requests are in flight`)
const unknownMethod = (method: string): JangadaError =>
  new JangadaError('JGD_BAD_REQUEST', `the peer does not know the method "${method}"`)

/** Errors without a code are our own bugs: the peer learns that, not their text. */
function toBody(error: unknown): ErrorBody {
  if (isJangadaError(error)) return error.toBody()
  return { code: 'JGD_INTERNAL', message: describeError(error).slice(0, 500) }
}

function readError(body: unknown): JangadaError {
  if (typeof body === 'object' && body !== null && 'code' in body && 'message' in body) {
    const { code, message } = body
    if (typeof code === 'string' && typeof message === 'string') {
      return JangadaError.fromBody(body as ErrorBody)
    }
  }
  return new JangadaError('JGD_INTERNAL', 'the peer failed without saying how')
}
