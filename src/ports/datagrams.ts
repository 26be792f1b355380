/** UDP on one link, for network boot. */
export interface Datagrams {
  /** The machine's links that have an IPv4 address. */
  links(): readonly Link[]
  /**
   * Receives on `port` and sends from it. `link` binds replies to that link's address, so that a
   * broadcast leaves on it (a socket on 0.0.0.0 without a default route cannot broadcast).
   * `port` 0 takes a free one. Rejects with a coded error when the port is taken.
   */
  open(options: DatagramOptions): Promise<DatagramSocket>
}

export interface DatagramOptions {
  readonly link: Link
  readonly port: number
  /** Also receive what is broadcast on the link. */
  readonly broadcast: boolean
  readonly onMessage: (message: Uint8Array, from: Endpoint) => void
}

export interface DatagramSocket {
  readonly port: number
  /** Never rejects for a destination that cannot be reached: UDP promises nothing. */
  send(message: Uint8Array, to: Endpoint): void
  close(): void
}

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** A network interface with its first IPv4 address. */
export interface Link {
  readonly name: string
  readonly mac: string
  readonly address: string
  readonly prefixLength: number
}
