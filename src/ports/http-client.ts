/** HTTP to a node's API: over its unix socket, or over TLS under the pin of its cluster's CA. */
export interface HttpClient {
  /**
   * Resolves with any status once the answer's head is there. Rejects with JGD_UNREACHABLE, or
   * JGD_PIN_MISMATCH when the other side is of another cluster; then nothing secret was sent.
   */
  request(request: ClientRequest): Promise<ClientResponse>
}

/** Where a node is. */
export type NodeTarget =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'tls'
      readonly host: string
      readonly port: number
      /** SHA-256 of the CA's SubjectPublicKeyInfo, lower-case hex. */
      readonly pin: string
      /** What goes after `Bearer`. */
      readonly bearer: string
    }

export interface ClientRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With the query, percent-encoded. */
  readonly path: string
  readonly body?:
    | { readonly kind: 'json'; readonly value: unknown }
    | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array> }
  readonly signal?: AbortSignal
}

export interface ClientResponse {
  readonly status: number
  /**
   * To be read to its end or left by `break`. Rejects with JGD_UNREACHABLE when the connection
   * breaks before the end.
   */
  readonly chunks: AsyncIterable<Uint8Array>
}
