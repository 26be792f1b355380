/** The API as the commands use it: JSON in, JSON out, and every refusal as its coded error. */
import { fromUtf8 } from '../../base/bytes.ts'
import { type ErrorBody, JangadaError } from '../../base/errors.ts'
import { formatBearer, parseToken } from '../../core/trust/token-text.ts'
import type { Listing } from '../../node/api/answers.ts'
import type {
  ClientRequest,
  ClientResponse,
  HttpClient,
  NodeTarget,
} from '../../ports/http-client.ts'
import { type Arguments, usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'

type Method = ClientRequest['method']

/** More than any answer: 100,000 units with long names. */
const answerBytesMax = 256 * 1024 * 1024

export class NodeClient {
  readonly #http: HttpClient
  readonly #environment: CliEnvironment
  #warned = false

  constructor(http: HttpClient, environment: CliEnvironment) {
    this.#http = http
    this.#environment = environment
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>('GET', path)
  }

  async call<T>(method: Method, path: string, value?: unknown): Promise<T> {
    const response = await this.#http.request({
      method,
      path,
      signal: this.#environment.signal,
      ...(value === undefined ? {} : { body: { kind: 'json', value } }),
    })
    return this.#read<T>(response)
  }

  async upload<T>(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    method: 'POST' | 'PUT' = 'POST',
  ): Promise<T> {
    const body = { kind: 'stream', chunks } as const
    const { signal } = this.#environment
    return this.#read<T>(await this.#http.request({ method, path, body, signal }))
  }

  /** The answer's bytes as they come. */
  async stream(path: string): Promise<AsyncIterable<Uint8Array>> {
    const { signal } = this.#environment
    const response = await this.#http.request({ method: 'GET', path, signal })
    if (response.status >= 400) await this.#read(response)
    return response.chunks
  }

  async #read<T>(response: ClientResponse): Promise<T> {
    const value = parseJson(await readAll(response))
    if (response.status >= 400) {
      const { error } = (value ?? {}) as { error?: ErrorBody | string }
      if (typeof error === 'object') throw JangadaError.fromBody(error)
      throw new JangadaError('JGD_INTERNAL', `the node answered with status ${response.status}`, {
        hint: 'is it a Jangada node? "jangada --endpoint … version" says which',
      })
    }
    this.#warnIfStale(value as Partial<Listing> | undefined)
    return value as T
  }

  /** Once a command: what is old is still worth showing, with its age. */
  #warnIfStale(value: Partial<Listing> | undefined): void {
    const stale = value?.stale
    if (this.#warned || stale === undefined || stale === false) return
    this.#warned = true
    const age = `${(stale.forMs / 1000).toFixed(1)} s`
    this.#environment.stderr(
      `jangada: this node knows of no quorum; what follows is at least ${age} old\n`,
    )
  }
}

async function readAll({ chunks }: ClientResponse): Promise<string> {
  const parts: string[] = []
  const decoder = new TextDecoder()
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw new JangadaError('JGD_TOO_LARGE', 'the answer has no end')
    parts.push(decoder.decode(chunk, { stream: true }))
  }
  return parts.join('')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

export function openNode(args: Arguments, environment: CliEnvironment): NodeClient {
  const { endpoint, token, socketPath } = environment.defaults
  const target = targetOf(
    args.text('endpoint') ?? endpoint,
    args.text('token') ?? token,
    socketPath,
    environment.defaults.ports.api,
  )
  return new NodeClient(environment.openNode(target), environment)
}

/** Throws JGD_USAGE. Without an endpoint it is this machine's own node. */
export function targetOf(
  endpoint: string | undefined,
  token: string | undefined,
  socketPath: string,
  apiPort: number,
): NodeTarget {
  if (endpoint === undefined) return { kind: 'socket', path: socketPath }
  const unix = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1]
  if (unix !== undefined) return { kind: 'socket', path: unix }
  const match = /^(?:https:\/\/)?(\[[0-9a-fA-F:]+\]|[^/:@\s]+)(?::(\d{1,5}))?\/?$/.exec(endpoint)
  const host = match?.[1]
  if (host === undefined) {
    throw usage(`${endpoint}: no endpoint`, 'write https://HOST:7381 or unix:///PATH')
  }
  const parsed = token === undefined ? undefined : parseToken(token)
  if (parsed === undefined || parsed.use !== 'api') {
    const isGiven = token !== undefined
    throw usage(
      isGiven
        ? 'the token is no API token, or not the whole of one: they begin with A1.'
        : 'an https endpoint needs an API token, which also says whom to trust there',
      'make one on a machine of the cluster: jangada token --scope read; then --token A1.…',
    )
  }
  return {
    kind: 'tls',
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(match?.[2] ?? apiPort),
    pin: parsed.pin,
    bearer: formatBearer(parsed),
  }
}

/** Part of a path. */
export const segment = (text: string): string => encodeURIComponent(text)
export const textOf = fromUtf8
