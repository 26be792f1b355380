/** A request and its answer, whichever door it came through; plain data but for the streams. */
import type { ErrorCode } from '../../base/errors.ts'
import type { PeerIdentity } from '../../ports/streams.ts'

/** A JSON body may have this many bytes; unit files end at a quarter of it. */
export const requestBodyBytesMax = 1_048_576
/** The same where anybody may ask: requests to join are a few thousand bytes long. */
export const openBodyBytesMax = 65_536

export type ApiDoor =
  /** 7380: plain HTTP, read-only, no credentials. */
  | 'plain'
  /** 7381: TLS 1.3. */
  | 'tls'
  /** The unix socket, which only root can open. */
  | 'socket'

export interface ApiRequest {
  readonly door: ApiDoor
  readonly method: string
  /** Without the query; still percent-encoded. */
  readonly path: string
  /** Decoded. A name that comes twice has its first value. */
  readonly query: ReadonlyMap<string, string>
  /** The names that came more than once. */
  readonly repeated?: ReadonlySet<string>
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /**
   * Parsed JSON, undefined when there was none. To be called once, or not at all, when it is known
   * who asks: until then nothing of it is kept. Rejects with JGD_TOO_LARGE, JGD_TOO_SLOW or
   * JGD_BAD_REQUEST.
   */
  readonly readBody: (bytesMax: number) => Promise<unknown>
  /** A body that is no JSON, such as an image: to be read once, or not at all. */
  readonly upload?: AsyncIterable<Uint8Array>
  readonly remoteAddress: string
  /** The address that the connection came in on: it says which link the client is on. */
  readonly localAddress: string
  /** What follows `Bearer` in the Authorization header. */
  readonly bearer?: string
  /** Whom the client certificate has shown; that its key is still listed is checked here. */
  readonly peer?: PeerIdentity
  /** A client certificate was shown, and it is not of this cluster. */
  readonly peerRefusal?: { readonly code: ErrorCode; readonly message: string }
}

export type ApiBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'text'; readonly text: string; readonly type: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** The status says it all. */
  | { readonly kind: 'none' }
  /** Whoever sends it reads no faster than the client does, and ends it when the client goes. */
  | {
      readonly kind: 'stream'
      readonly chunks: AsyncIterable<Uint8Array | string>
      readonly type: string
    }

export interface ApiResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: ApiBody
}

/** What a web server binds: see `Api`. Never rejects. */
export interface ApiHandler {
  /** `signal` aborts when the client goes away. */
  handle(request: ApiRequest, signal: AbortSignal): Promise<ApiResponse>
}

export const json = (value: unknown, status = 200): ApiResponse => ({
  status,
  body: { kind: 'json', value },
})

export const text = (content: string, type = 'text/plain; charset=utf-8'): ApiResponse => ({
  status: 200,
  body: { kind: 'text', text: content, type },
})
