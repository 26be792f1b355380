/** A small route table: literal segments, and `:name` for one segment. */
import { JangadaError } from '../../base/errors.ts'
import type { Access } from './auth.ts'
import type { ApiDoor, ApiRequest, ApiResponse } from './messages.ts'

/** A request that found its route. */
export interface RoutedRequest extends ApiRequest {
  /** Decoded values of the `:name` segments. */
  readonly parameters: Readonly<Record<string, string>>
  /** Parsed JSON; undefined when there was none, and for GET. */
  readonly body: unknown
  readonly signal: AbortSignal
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/v1/units/:name/why`. */
  readonly path: string
  readonly access: Access
  readonly handle: (request: RoutedRequest) => Promise<ApiResponse>
  /** The default: the two that know who asks. */
  readonly doors?: readonly ApiDoor[]
}

export const everyDoor: readonly ApiDoor[] = ['plain', 'tls', 'socket']
const privateDoors: readonly ApiDoor[] = ['tls', 'socket']

interface Entry {
  readonly segments: readonly string[]
  readonly route: Route
}

export class Router {
  readonly #entries: readonly Entry[]

  constructor(routes: readonly Route[]) {
    this.#entries = routes.map((route) => ({ segments: route.path.split('/').slice(1), route }))
  }

  /** HEAD asks as GET does. Throws JGD_NOT_FOUND, or JGD_BAD_REQUEST for another method. */
  find({ door, method, path }: ApiRequest): {
    readonly route: Route
    readonly parameters: Readonly<Record<string, string>>
  } {
    const segments = path.split('/').slice(1).map(decode)
    const allowed: string[] = []
    for (const entry of this.#entries) {
      const { route } = entry
      if (!(route.doors ?? privateDoors).includes(door)) continue
      const parameters = match(entry.segments, segments)
      if (parameters === undefined) continue
      if (route.method === (method === 'HEAD' ? 'GET' : method)) return { route, parameters }
      allowed.push(route.method)
    }
    if (allowed.length > 0) {
      throw new JangadaError('JGD_BAD_REQUEST', `${method} is not for ${path}`, {
        hint: `use ${allowed.join(' or ')}`,
      })
    }
    throw new JangadaError('JGD_NOT_FOUND', `there is nothing at ${path} on this door`, {
      hint:
        door === 'plain'
          ? 'here are /health, /status and /metrics; the API is on port 7381 over TLS'
          : 'the API begins with /v1/; see "jangada --help" for what it can do',
    })
  }
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [at, want] of pattern.entries()) {
    const segment = segments[at] ?? ''
    if (want.startsWith(':')) parameters[want.slice(1)] = segment
    else if (want !== segment) return undefined
  }
  return parameters
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new JangadaError('JGD_BAD_REQUEST', 'the path is not well percent-encoded')
  }
}
