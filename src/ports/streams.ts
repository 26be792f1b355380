/**
 * Byte streams between machines, mutually authenticated: TLS 1.3 on a machine, simulated links
 * in the simulation. A stream is ordered and reliable until it closes; then nothing more arrives.
 */
export interface Streams {
  /** Resolves once the other side's identity is proven. Rejects with a `StreamError`. */
  connect(to: StreamAddress, options: ConnectOptions): Promise<Stream>
  /** `onStream` gets each authenticated stream; it must set `handlers` before returning. */
  listen(address: StreamAddress, onStream: (stream: Stream) => void): Promise<StreamListener>
}

export interface StreamAddress {
  readonly host: string
  readonly port: number
}

export interface ConnectOptions {
  readonly timeoutMs: number
  readonly handlers: StreamHandlers
}

export interface Stream {
  readonly peer: PeerIdentity
  handlers: StreamHandlers
  /** Queues `bytes`; the caller watches `bufferedBytes` and stops above its own bound. */
  write(bytes: Uint8Array): void
  readonly bufferedBytes: number
  /**
   * The other side's system has ended it, in order or by a reset: the process there has let go of
   * it or is gone, and its machine was there to say so. False while it is open, after `close`, and
   * where the peer just fell silent.
   */
  readonly endedByPeer: boolean
  /** Idempotent. `onClose` is called once, whoever closes. */
  close(): void
}

export interface StreamHandlers {
  onData(bytes: Uint8Array): void
  /** `bufferedBytes` has fallen to zero after `write` left some. */
  onDrain(): void
  onClose(cause: Error | undefined): void
}

/** What the handshake has proven about the other side. The key is the identity. */
export interface PeerIdentity {
  /** SHA-256 of the peer's SubjectPublicKeyInfo, lower-case hex. */
  readonly keyHash: string
  /** From the certificate that the cluster's CA signed. */
  readonly machineId: string
  readonly clusterId: string
  readonly remoteAddress: string
}

export interface StreamListener {
  readonly port: number
  close(): Promise<void>
}

export class StreamError extends Error {
  override readonly name = 'StreamError'
  /** `refused` names a peer that is there and says no; `untrusted` one that failed its proof. */
  readonly reason: 'unreachable' | 'timeout' | 'refused' | 'untrusted' | 'closed'

  constructor(reason: StreamError['reason'], message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}
