/**
 * A machine's peer door and its way to other doors: every stream is greeted, then becomes a
 * `CallStream` or a consensus stream. Call streams are kept, one for each address, and used both
 * ways by whoever opened them.
 */
import { describeError, JangadaError } from '../../base/errors.ts'
import type { MemberId } from '../../base/ids.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { PeerIdentity, StreamAddress, StreamListener, Streams } from '../../ports/streams.ts'
import { type CallMethods, CallStream } from './calls.ts'
import { acceptHello, type Greeted, offerHello } from './handshake.ts'
import { type Hello, wireFormat } from './hello.ts'

const connectTimeoutMs = 1000
/** Streams that others opened to this door; a cluster of thousands spreads over its members. */
const maxAcceptedStreams = 8192

export interface DoorOptions {
  readonly streams: Streams
  readonly clock: Clock
  readonly log: Log
  readonly clusterId: string
  readonly machineId: string
  readonly featureLevel: number
  /** 0 while this machine is no member. */
  readonly memberId: () => MemberId
  /** The machine that a member belongs to, for good; undefined when nobody has told yet. */
  readonly machineOf: (id: MemberId) => string | undefined
  readonly methods: CallMethods
  /** Takes a consensus stream, or says why not. */
  readonly onRaftStream: (greeted: Greeted) => void
  /** A call stream that the peer had opened was ended from its side; see `Stream.endedByPeer`. */
  readonly onPeerEnded?: (peer: PeerIdentity) => void
}

export class Door {
  readonly #options: DoorOptions
  readonly #calls = new Map<string, Promise<CallStream>>()
  readonly #accepted = new Set<CallStream>()
  #listener: StreamListener | undefined
  #closed = false

  constructor(options: DoorOptions) {
    this.#options = options
  }

  async listen(address: StreamAddress): Promise<number> {
    this.#listener = await this.#listenOn(address, (stream) => {
      void acceptHello(stream, this.#options.clock, {
        own: (theirs) => this.#hello(theirs?.purpose ?? 'calls', theirs?.memberId ?? 0),
        refuse: (theirs) => this.#refusal(theirs),
      }).then(
        (greeted) => this.#welcome(greeted),
        (error: unknown) =>
          this.#options.log.debug('a peer stream was refused', { cause: describeError(error) }),
      )
    })
    return this.#listener.port
  }

  async #listenOn(
    address: StreamAddress,
    accept: Parameters<Streams['listen']>[1],
  ): Promise<StreamListener> {
    try {
      return await this.#options.streams.listen(address, accept)
    } catch (error) {
      const where = `${address.host}:${address.port}`
      throw new JangadaError('JGD_PORT_TAKEN', `cannot listen on ${where}`, {
        hint: 'is another program, or another node, using it? see "ss -ltnp"',
        cause: error,
      })
    }
  }

  /** The kept call stream to `address`, opened when there is none. Rejects JGD_UNREACHABLE. */
  callsTo(address: StreamAddress): Promise<CallStream> {
    if (this.#closed) return Promise.reject(unreachable(address, 'this node is stopping'))
    const name = `${address.host}:${address.port}`
    const kept = this.#calls.get(name)
    if (kept !== undefined) return kept
    const forget = (): void => {
      if (this.#calls.get(name) === opening) this.#calls.delete(name)
    }
    const opening = this.#connect(address, 'calls', 0).then(
      (greeted) =>
        new CallStream(greeted, this.#options.methods, this.#options.clock, () => forget()),
      (error: unknown) => {
        forget()
        throw unreachable(address, error)
      },
    )
    this.#calls.set(name, opening)
    return opening
  }

  /** A new consensus stream to the member at `address`. Rejects with a `StreamError`. */
  raftStreamTo(
    address: StreamAddress,
    purpose: 'control' | 'bulk',
    to: MemberId,
  ): Promise<Greeted> {
    return this.#connect(address, purpose, to)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#listener?.close()
    for (const calls of this.#accepted) calls.close()
    for (const opening of this.#calls.values()) {
      void opening.then(
        (calls) => calls.close(),
        () => undefined,
      )
    }
  }

  async #connect(address: StreamAddress, purpose: Hello['purpose'], to: number): Promise<Greeted> {
    const stream = await this.#options.streams.connect(address, {
      timeoutMs: connectTimeoutMs,
      handlers: { onData: () => undefined, onDrain: () => undefined, onClose: () => undefined },
    })
    return offerHello(stream, this.#options.clock, {
      own: () => this.#hello(purpose, to),
      refuse: (theirs) =>
        to !== 0 && theirs.memberId !== to
          ? `the machine there is member ${theirs.memberId}, not ${to}`
          : this.#refusal(theirs),
    })
  }

  #hello(purpose: Hello['purpose'], toMemberId: number): Hello {
    const { clusterId, machineId, featureLevel } = this.#options
    const memberId = this.#options.memberId()
    return { format: wireFormat, clusterId, machineId, purpose, memberId, toMemberId, featureLevel }
  }

  #refusal(theirs: Hello): string | undefined {
    const own = this.#options.memberId()
    if (theirs.clusterId !== this.#options.clusterId) return 'the peer is of another cluster'
    if (theirs.purpose !== 'calls' && theirs.toMemberId !== own) {
      return `the peer looks for member ${theirs.toMemberId}; this one is ${own}`
    }
    // A listed machine speaks for its own member only. Of a member that is not known here yet
    // nobody can tell: its record may be in what it is about to send.
    const speaker = theirs.purpose === 'calls' ? 0 : theirs.memberId
    const machine = speaker === 0 ? undefined : this.#options.machineOf(speaker as MemberId)
    if (machine !== undefined && machine !== theirs.machineId) {
      return `member ${speaker} is of machine ${machine}, not of ${theirs.machineId}`
    }
    if (this.#accepted.size >= maxAcceptedStreams) return 'too many streams'
    return undefined
  }

  #welcome(greeted: Greeted): void {
    if (this.#closed) {
      greeted.stream.close()
      return
    }
    if (greeted.hello.purpose !== 'calls') {
      this.#options.onRaftStream(greeted)
      return
    }
    const { stream } = greeted
    const calls = new CallStream(greeted, this.#options.methods, this.#options.clock, () => {
      this.#accepted.delete(calls)
      if (stream.endedByPeer) this.#options.onPeerEnded?.(stream.peer)
    })
    this.#accepted.add(calls)
  }
}

function unreachable(address: StreamAddress, why: unknown): JangadaError {
  return new JangadaError(
    'JGD_UNREACHABLE',
    `cannot reach ${address.host}:${address.port}: ${describeError(why)}`,
    { cause: why },
  )
}
