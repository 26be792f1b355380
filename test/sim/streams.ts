/**
 * Streams between simulated hosts, with the same proof of identity as the real side: a
 * certificate of the cluster's CA, and a key that the other side allows. One `SimulatedStreams`
 * is one process on one host; `kill` ends it as its kernel would, and `vanish` as a power cut.
 */
import { assert } from '../../src/base/assert.ts'
import { concat } from '../../src/base/bytes.ts'
import { StreamError } from '../../src/ports/streams.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type {
  ConnectOptions,
  PeerIdentity,
  Stream,
  StreamAddress,
  StreamHandlers,
  StreamListener,
  Streams,
} from '../../src/ports/streams.ts'
import { factsOfSimulated, simulatedKeyHash } from './crypto.ts'
import type { SimulatedNetwork } from './network.ts'
import { StreamPipe, type Segment } from './stream-pipe.ts'

export interface SimulatedStreamsOptions {
  /** The host's address: what others connect to. */
  readonly host: string
  readonly clock: Clock
  readonly identity: SimulatedIdentity
  readonly isAllowed: (peer: PeerIdentity) => boolean
}

export interface SimulatedIdentity {
  readonly clusterId: string
  readonly privateKeyPem: string
  readonly certificatePem: string
  readonly authorityPem: string
}

/** What the kernel takes off a writer's hands before `bufferedBytes` grows. */
const kernelBufferBytes = 65_536
const firstFreePort = 40_000

/** The processes that listen, by `host:port`. */
export class SimulatedSwitchboard {
  readonly network: SimulatedNetwork
  readonly listeners = new Map<
    string,
    { readonly owner: SimulatedStreams; readonly onStream: (stream: Stream) => void }
  >()
  #nextPort = firstFreePort

  constructor(network: SimulatedNetwork) {
    this.network = network
  }

  freePort(): number {
    this.#nextPort += 1
    return this.#nextPort
  }
}

export class SimulatedStreams implements Streams {
  readonly host: string
  readonly #board: SimulatedSwitchboard
  readonly #network: SimulatedNetwork
  readonly #options: SimulatedStreamsOptions
  readonly #ends = new Set<StreamEnd>()
  /** Closed here, with something still on its way: their kernel sees to that. */
  readonly #leaving = new Set<StreamEnd>()
  #identity: SimulatedIdentity
  #isAlive = true

  constructor(board: SimulatedSwitchboard, options: SimulatedStreamsOptions) {
    this.host = options.host
    this.#board = board
    this.#network = board.network
    this.#options = options
    this.#identity = options.identity
  }

  setIdentity(identity: SimulatedIdentity): void {
    this.#identity = identity
  }

  dropUnlisted(): number {
    const unlisted = [...this.#ends].filter((end) => !this.#options.isAllowed(end.peer))
    for (const end of unlisted) end.reset('the peer is no longer listed')
    return unlisted.length
  }

  connect(to: StreamAddress, options: ConnectOptions): Promise<Stream> {
    return new Promise((resolve, reject) => {
      let isSettled = false
      const finish = (outcome: () => void): void => {
        if (isSettled || !this.#isAlive) return
        isSettled = true
        timer.cancel()
        stopHearing()
        outcome()
      }
      const timer = this.#options.clock.after(options.timeoutMs, () => {
        finish(() => reject(new StreamError('timeout', `${to.host}:${to.port} did not answer`)))
      })
      let isTrying = false
      const attempt = (): void => {
        if (isSettled || isTrying || !this.#canTalkTo(to.host)) return
        isTrying = true
        this.#network.time.after(this.#roundTripMs(to.host), () => {
          isTrying = false
          if (isSettled || !this.#isAlive) return
          // A handshake that a cut has caught under way goes on when the cut heals.
          if (this.#canTalkTo(to.host)) this.#handshake(to, options, finish, resolve, reject)
        })
      }
      const stopHearing = this.#network.onHealed(attempt)
      attempt()
    })
  }

  async listen(
    address: StreamAddress,
    onStream: (stream: Stream) => void,
  ): Promise<StreamListener> {
    const port = address.port === 0 ? this.#board.freePort() : address.port
    const name = `${this.host}:${port}`
    if (this.#board.listeners.has(name)) {
      throw new StreamError('unreachable', `${name} is taken`)
    }
    this.#board.listeners.set(name, { owner: this, onStream })
    return {
      port,
      close: async () => {
        if (this.#board.listeners.get(name)?.owner === this) this.#board.listeners.delete(name)
      },
    }
  }

  /** The process dies; its kernel resets every connection, and peers hear of it if they can. */
  kill(): void {
    for (const end of this.#ends) end.tellReset()
    this.#stop()
  }

  /** The machine is dead: no peer hears anything, and no handler is called again. */
  vanish(): void {
    this.#stop()
    for (const end of this.#leaving) end.vanish()
    this.#leaving.clear()
  }

  #stop(): void {
    this.#isAlive = false
    for (const end of this.#ends) end.vanish()
    this.#ends.clear()
    for (const [name, { owner }] of this.#board.listeners) {
      if (owner === this) this.#board.listeners.delete(name)
    }
  }

  /** Breaks every stream with `host`, as a firewall that forgets its table does. */
  breakStreamsWith(host: string): void {
    for (const end of [...this.#ends]) {
      if (end.remoteHost === host) end.reset('connection reset')
    }
  }

  #canTalkTo(host: string): boolean {
    const { host: own } = this
    const isThere = this.#network.isOpen(own, host) && this.#network.isOpen(host, own)
    return isThere && !this.#network.isFrozen(host)
  }

  /** SYN, hello, certificates, verdict: two round trips. */
  #roundTripMs(host: string): number {
    const { host: own } = this
    const oneWay = this.#network.delayMs(own, host) + this.#network.delayMs(host, own)
    return oneWay + this.#network.delayMs(own, host) + this.#network.delayMs(host, own)
  }

  #handshake(
    to: StreamAddress,
    options: ConnectOptions,
    finish: (outcome: () => void) => void,
    resolve: (stream: Stream) => void,
    reject: (error: StreamError) => void,
  ): void {
    const fail = (reason: StreamError['reason'], message: string): void =>
      finish(() => reject(new StreamError(reason, `${to.host}:${to.port}: ${message}`)))
    const listener = this.#board.listeners.get(`${to.host}:${to.port}`)
    if (listener === undefined) return fail('unreachable', 'connection refused')
    const theirs = this.judge(listener.owner.#identity, to.host)
    if (theirs === undefined) return fail('untrusted', 'the peer failed its proof')
    const ours = listener.owner.judge(this.#identity, this.host)
    if (ours === undefined) return fail('refused', 'the peer refused us')
    finish(() => {
      const [near, far] = this.#makePair(theirs, listener.owner, ours)
      near.handlers = options.handlers
      listener.onStream(far)
      assert(far.hasHandlers, 'whoever gets a stream sets its handlers at once')
      resolve(near)
    })
  }

  /** What the real side's handshake does, on what the other side presents. */
  judge(shown: SimulatedIdentity, remoteAddress: string): PeerIdentity | undefined {
    const facts = factsOfSimulated(shown.certificatePem, this.#identity.authorityPem)
    if (facts === undefined || facts.clusterId !== this.#identity.clusterId) return undefined
    if (simulatedKeyHash(shown.privateKeyPem) !== facts.keyHash) return undefined
    const { keyHash, machineId, clusterId } = facts
    const peer: PeerIdentity = { keyHash, machineId, clusterId, remoteAddress }
    return this.#options.isAllowed(peer) ? peer : undefined
  }

  #makePair(
    theirs: PeerIdentity,
    other: SimulatedStreams,
    ours: PeerIdentity,
  ): [StreamEnd, StreamEnd] {
    const near = this.#makeEnd(theirs)
    const far = other.#makeEnd(ours)
    near.join(far)
    far.join(near)
    return [near, far]
  }

  #makeEnd(peer: PeerIdentity): StreamEnd {
    const end: StreamEnd = new StreamEnd(this.#network, this.host, peer, {
      onGone: () => {
        this.#ends.delete(end)
        if (end.isLeaving) this.#leaving.add(end)
      },
      onFinished: () => this.#leaving.delete(end),
    })
    this.#ends.add(end)
    return end
  }
}

/** Invariant: `onClose` is called exactly once, unless the process is gone; nothing follows it. */
class StreamEnd implements Stream {
  readonly peer: PeerIdentity
  readonly remoteHost: string
  readonly #network: SimulatedNetwork
  readonly #host: string
  readonly #owner: { readonly onGone: () => void; readonly onFinished: () => void }
  #handlers: StreamHandlers | undefined
  #pipe: StreamPipe | undefined
  #remote: StreamEnd | undefined
  #state: 'open' | 'closing' | 'gone' = 'open'
  #owesDrain = false
  #isLeaving = false
  #endedByPeer = false

  constructor(
    network: SimulatedNetwork,
    host: string,
    peer: PeerIdentity,
    owner: { readonly onGone: () => void; readonly onFinished: () => void },
  ) {
    this.#network = network
    this.#host = host
    this.peer = peer
    this.remoteHost = peer.remoteAddress
    this.#owner = owner
  }

  join(remote: StreamEnd): void {
    this.#remote = remote
    this.#pipe = new StreamPipe(this.#network, {
      from: this.#host,
      to: this.remoteHost,
      onArrival: (segment) => this.#deliver(segment, remote),
      onAcknowledged: () => this.#acknowledged(),
      onFinished: () => {
        this.#isLeaving = false
        this.#owner.onFinished()
      },
      onGivenUp: (reason) => this.#end(new Error(reason)),
    })
  }

  get handlers(): StreamHandlers {
    assert(this.#handlers !== undefined, 'handlers are set before they are read')
    return this.#handlers
  }

  set handlers(handlers: StreamHandlers) {
    this.#handlers = handlers
  }

  get hasHandlers(): boolean {
    return this.#handlers !== undefined
  }

  get bufferedBytes(): number {
    return Math.max(0, (this.#pipe?.unacknowledgedBytes ?? 0) - kernelBufferBytes)
  }

  get endedByPeer(): boolean {
    return this.#endedByPeer
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== 'open') return
    // A copy: the writer may use its buffer again.
    this.#pipe?.send({ kind: 'data', bytes: concat([bytes]) })
    if (this.bufferedBytes > 0) this.#owesDrain = true
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#isLeaving = true
    this.#pipe?.send({ kind: 'fin' })
    this.#network.time.after(0, () => this.#end(undefined))
  }

  /** Closed by its owner, with the end of the stream still to arrive. */
  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** Both ends lose it: this one at once, the other if a packet gets through. */
  reset(reason: string): void {
    this.tellReset()
    this.#pipe?.kill()
    this.#end(new Error(reason))
  }

  /** Sends a reset, which nobody repeats when it is lost. */
  tellReset(): void {
    const remote = this.#remote
    this.#network.time.after(this.#network.delayMs(this.#host, this.remoteHost), () => {
      if (!this.#network.isOpen(this.#host, this.remoteHost)) return
      if (!this.#network.isFrozen(this.remoteHost)) {
        remote?.hearReset()
        return
      }
      const stop = this.#network.onHealed(() => {
        if (this.#network.isFrozen(this.remoteHost)) return
        stop()
        remote?.hearReset()
      })
    })
  }

  hearReset(): void {
    this.#pipe?.kill()
    if (this.#state === 'open') this.#endedByPeer = true
    this.#end(new Error('connection reset by peer'))
  }

  vanish(): void {
    this.#state = 'gone'
    this.#pipe?.kill()
  }

  #deliver(segment: Segment, remote: StreamEnd): void {
    if (remote.#state === 'gone') {
      // The other machine's kernel knows of no such connection.
      remote.tellReset()
      return
    }
    if (remote.#state === 'closing') return
    switch (segment.kind) {
      case 'data':
        remote.handlers.onData(segment.bytes)
        break
      case 'fin':
        remote.#state = 'closing'
        remote.#endedByPeer = true
        remote.#end(undefined)
        break
    }
  }

  #acknowledged(): void {
    if (!this.#owesDrain || this.#state !== 'open' || this.bufferedBytes > 0) return
    this.#owesDrain = false
    this.handlers.onDrain()
  }

  #end(cause: Error | undefined): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#owner.onGone()
    this.#handlers?.onClose(cause)
  }
}
