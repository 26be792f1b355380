/**
 * Carries consensus messages between members over two streams a peer, so that heartbeats and
 * votes never wait behind a long append. A message that cannot leave now is dropped and told:
 * Raft sends again, and a queue would only deliver what is no longer true.
 */
import { describeError } from '../../base/errors.ts'
import type { MemberId } from '../../base/ids.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Stream, StreamAddress } from '../../ports/streams.ts'
import type { Door } from './door.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import type { Greeted } from './handshake.ts'
import { frameKind } from './kinds.ts'
import { decodeRaftMessage, encodeRaftMessage, type FramedMessage } from './raft-codec.ts'

/** An append with more entry bytes than this goes the bulk way. */
const bulkFromBytes = 64 * 1024
/** Above this a stream takes no more until it drains. */
const maxBufferedBytes = 8 * 1024 * 1024
/**
 * A control stream that answers nothing for this long is given up: after a cut, a new stream is
 * there at once, while the kernel's own retransmission may rest for many seconds.
 */
const unansweredMs = 1200
const redialMinMs = 20
const redialMaxMs = 500

type Purpose = 'control' | 'bulk'

/** What is said once, and not again by itself. */
const electing: ReadonlySet<FramedMessage['kind']> = new Set([
  'preVoteRequest',
  'voteRequest',
  'timeoutNow',
])

interface Way {
  stream: Stream | undefined
  /** When the oldest message left that nothing was heard after; undefined when none is. */
  unansweredSinceMs: number | undefined
  dialing: boolean
  /**
   * The newest request for a vote, or to stand for election, that came while the way was not
   * there. Members that only follow have no way to each other, and whoever stands asks once: were
   * that lost, every election would take two.
   */
  held: FramedMessage | undefined
  /** No dial before this time. Grows with each failure, from redialMinMs to redialMaxMs. */
  notBeforeMs: number
  backoffMs: number
}

export interface RaftTransportOptions {
  readonly door: () => Door
  readonly clock: Clock
  readonly log: Log
  /** Where a member's door is; undefined when nobody has told yet. */
  readonly addressOf: (id: MemberId) => StreamAddress | undefined
  /** What came in together, in order; at least one. */
  readonly onMessages: (messages: readonly FramedMessage[]) => void
  readonly onUnreachable: (id: MemberId) => void
}

export class RaftTransport {
  readonly #options: RaftTransportOptions
  readonly #ways = new Map<string, Way>()
  #closed = false

  constructor(options: RaftTransportOptions) {
    this.#options = options
  }

  send(message: FramedMessage): void {
    if (this.#closed) return
    const purpose = purposeOf(message)
    const way = this.#way(message.to, purpose)
    this.#giveUpSilent(message.to)
    if (way.stream === undefined) {
      this.#dial(message.to, purpose, way)
      // The control way is as good until the other one is there.
      const other = purpose === 'bulk' ? this.#way(message.to, 'control').stream : undefined
      if (other === undefined) {
        if (message.kind === 'append') this.#options.onUnreachable(message.to)
        if (electing.has(message.kind)) way.held = message
        return
      }
      this.#write(this.#way(message.to, 'control'), other, message)
      return
    }
    this.#write(way, way.stream, message)
  }

  /** Takes a stream that the member on the other side opened. */
  adopt(greeted: Greeted): void {
    const from = greeted.hello.memberId as MemberId
    const purpose = greeted.hello.purpose
    if (this.#closed || from === 0 || purpose === 'calls') {
      greeted.stream.close()
      return
    }
    this.#use(from, purpose, greeted)
  }

  close(): void {
    this.#closed = true
    for (const way of this.#ways.values()) way.stream?.close()
  }

  #giveUpSilent(id: MemberId): void {
    const { stream, unansweredSinceMs } = this.#way(id, 'control')
    if (stream === undefined || unansweredSinceMs === undefined) return
    if (this.#options.clock.monotonicMs() - unansweredSinceMs < unansweredMs) return
    stream.close()
    this.#way(id, 'bulk').stream?.close()
  }

  #write(way: Way, stream: Stream, message: FramedMessage): void {
    if (stream.bufferedBytes > maxBufferedBytes) {
      this.#options.onUnreachable(message.to)
      return
    }
    way.unansweredSinceMs ??= this.#options.clock.monotonicMs()
    stream.write(encodeFrame(frameKind.raft, encodeRaftMessage(message)))
  }

  #way(id: MemberId, purpose: Purpose): Way {
    const name = `${id} ${purpose}`
    let way = this.#ways.get(name)
    if (way === undefined) {
      way = {
        stream: undefined,
        unansweredSinceMs: undefined,
        dialing: false,
        held: undefined,
        notBeforeMs: 0,
        backoffMs: redialMinMs,
      }
      this.#ways.set(name, way)
    }
    return way
  }

  #dial(id: MemberId, purpose: Purpose, way: Way): void {
    const { clock, log } = this.#options
    const address = this.#options.addressOf(id)
    if (way.dialing || address === undefined || clock.monotonicMs() < way.notBeforeMs) return
    way.dialing = true
    const failed = (error: unknown): void => {
      way.dialing = false
      way.held = undefined
      way.notBeforeMs = clock.monotonicMs() + way.backoffMs
      way.backoffMs = Math.min(redialMaxMs, way.backoffMs * 2)
      log.debug('no consensus stream', { to: id, purpose, cause: describeError(error) })
    }
    this.#options
      .door()
      .raftStreamTo(address, purpose, id)
      .then((greeted) => {
        way.dialing = false
        way.backoffMs = redialMinMs
        if (this.#closed) greeted.stream.close()
        else this.#use(id, purpose, greeted)
      }, failed)
  }

  #use(id: MemberId, purpose: Purpose, greeted: Greeted): void {
    const way = this.#way(id, purpose)
    const { stream } = greeted
    const reader = new FrameReader()
    // Two members may dial each other at once. Both streams are read; the newer one is written.
    way.stream = stream
    way.unansweredSinceMs = undefined
    greeted.take({
      onData: (bytes) => {
        way.unansweredSinceMs = undefined
        const messages = readMessages(reader, bytes, id)
        if (messages === undefined) {
          this.#options.log.warn('a consensus stream broke its form', { from: id })
          stream.close()
        } else if (messages.length > 0) this.#options.onMessages(messages)
      },
      onDrain: () => undefined,
      onClose: () => {
        if (way.stream === stream) way.stream = undefined
        this.#options.onUnreachable(id)
      },
    })
    const { held } = way
    way.held = undefined
    if (held !== undefined && way.stream === stream) this.#write(way, stream, held)
  }
}

function purposeOf(message: FramedMessage): Purpose {
  if (message.kind !== 'append') return 'control'
  let bytes = 0
  for (const entry of message.entries) bytes += entry.kind === 'normal' ? entry.data.length : 64
  return bytes > bulkFromBytes ? 'bulk' : 'control'
}

/** What `bytes` completes; undefined when it is not what member `from` would send. */
function readMessages(
  reader: FrameReader,
  bytes: Uint8Array,
  from: MemberId,
): readonly FramedMessage[] | undefined {
  const messages: FramedMessage[] = []
  for (const frame of reader.push(bytes) ?? [undefined]) {
    const message = frame?.kind === frameKind.raft ? decodeRaftMessage(frame.payload) : undefined
    if (message?.from !== from) return undefined
    messages.push(message)
  }
  return messages
}
