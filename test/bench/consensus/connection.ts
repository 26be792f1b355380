/** What the load generator asks of a connection to either store, whatever its protocol. */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type Endpoint =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'tls'
      readonly host: string
      readonly port: number
    }

/**
 * One request: a put of `value` at each of the keys, in one transaction where there are several, or
 * a linearizable read of the one key when there is no value.
 */
export interface Operation {
  readonly keys: readonly [string, ...string[]]
  readonly value: string | undefined
}

export interface Connection {
  /** Resolves to false when the store refused it, or did not have the key; rejects when cut. */
  request(operation: Operation): Promise<boolean>
  close(): void
}

/** Opens the bytes below a protocol; `protocol` is told to the server (ALPN). */
export function openSocket(endpoint: Endpoint, protocol: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      endpoint.kind === 'socket'
        ? connectPlain(endpoint.path, () => resolve(socket))
        : connectTls(
            {
              host: endpoint.host,
              port: endpoint.port,
              // What is measured is the work; both sides made their certificates a moment ago.
              rejectUnauthorized: false,
              minVersion: 'TLSv1.3',
              ALPNProtocols: [protocol],
            },
            () => resolve(socket),
          )
    socket.setNoDelay(true)
    socket.once('error', reject)
  })
}
