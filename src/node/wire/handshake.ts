/**
 * The exchange of hellos. The side that connects speaks first; the other answers or closes.
 * Until both hellos are in, nothing else is read, and bytes that came behind are handed on.
 */
import type { Clock } from '../../ports/clock.ts'
import { type Stream, StreamError, type StreamHandlers } from '../../ports/streams.ts'
import { encodeFrame, type Frame, FrameReader } from './frames.ts'
import { decodeHello, encodeHello, type Hello, wireFormat } from './hello.ts'
import { frameKind } from './kinds.ts'

const handshakeTimeoutMs = 2000

/** A stream whose two ends have said hello. */
export interface Greeted {
  readonly stream: Stream
  readonly hello: Hello
  /** Hands the stream over, with whatever came behind the hello. Once only. */
  take(handlers: StreamHandlers): void
}

export interface HandshakeRules {
  /** What this side says; asked once the other side's hello is known, if it spoke first. */
  readonly own: (theirs: Hello | undefined) => Hello
  /** A reason to refuse, or undefined. */
  readonly refuse: (theirs: Hello, stream: Stream) => string | undefined
}

/** Waits for the other side's hello on an accepted stream and answers it. */
export function acceptHello(stream: Stream, clock: Clock, rules: HandshakeRules): Promise<Greeted> {
  return awaitHello(stream, clock, rules, (hello) => {
    stream.write(encodeFrame(frameKind.hello, encodeHello(rules.own(hello))))
  })
}

/** Speaks first on a stream that this side opened. */
export function offerHello(stream: Stream, clock: Clock, rules: HandshakeRules): Promise<Greeted> {
  const waiting = awaitHello(stream, clock, rules, () => undefined)
  stream.write(encodeFrame(frameKind.hello, encodeHello(rules.own(undefined))))
  return waiting
}

function awaitHello(
  stream: Stream,
  clock: Clock,
  rules: HandshakeRules,
  onHello: (hello: Hello) => void,
): Promise<Greeted> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader()
    const fail = (reason: StreamError['reason'], message: string): void => {
      timer.cancel()
      stream.close()
      reject(new StreamError(reason, message))
    }
    const timer = clock.after(handshakeTimeoutMs, () => fail('timeout', 'no hello came'))
    const take = (frames: readonly Frame[]): void => {
      const [first, ...later] = frames
      if (first === undefined) return
      const hello = first.kind === frameKind.hello ? decodeHello(first.payload) : undefined
      if (hello === undefined) return fail('untrusted', 'the peer did not say hello')
      if (hello.format !== wireFormat) {
        return fail('refused', `the peer speaks wire format ${hello.format}, not ${wireFormat}`)
      }
      if (hello.machineId !== stream.peer.machineId) {
        return fail('untrusted', 'the hello names another machine than the certificate')
      }
      const refusal = rules.refuse(hello, stream)
      if (refusal !== undefined) return fail('refused', refusal)
      timer.cancel()
      const held = [...later.map((frame) => encodeFrame(frame.kind, frame.payload))]
      held.push(reader.remainder())
      const greeted = handOver(stream, hello, held)
      onHello(hello)
      resolve(greeted)
    }
    stream.handlers = {
      onData: (bytes) => {
        const frames = reader.push(bytes)
        if (frames === undefined) fail('untrusted', 'the peer does not speak in frames')
        else take(frames)
      },
      onDrain: () => undefined,
      onClose: (cause) => {
        timer.cancel()
        reject(new StreamError('closed', 'the peer closed before saying hello', cause))
      },
    }
  })
}

/** Between the hello and the taker's own handlers, more bytes may come, or the end. */
function handOver(stream: Stream, hello: Hello, held: Uint8Array[]): Greeted {
  let closed: { cause: Error | undefined } | undefined
  stream.handlers = {
    onData: (bytes) => held.push(bytes),
    onDrain: () => undefined,
    onClose: (cause) => {
      closed = { cause }
    },
  }
  return {
    stream,
    hello,
    take: (handlers) => {
      stream.handlers = handlers
      for (const bytes of held.splice(0)) if (bytes.length > 0) handlers.onData(bytes)
      if (closed !== undefined) handlers.onClose(closed.cause)
    },
  }
}
