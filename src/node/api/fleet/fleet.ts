/**
 * fleet's HTTP API v1, for its own clients: `fleetctl --endpoint=unix:///run/jangada/jangada.sock`.
 * Statuses, bodies and texts are fleet's (`api/*.go`), so that what was written for it goes on.
 */
import { concat, fromUtf8 } from '../../../base/bytes.ts'
import { JangadaError } from '../../../base/errors.ts'
import { authorize } from '../auth.ts'
import type { ApiContext } from '../context.ts'
import { type ApiRequest, type ApiResponse, requestBodyBytesMax } from '../messages.ts'
import { discoveryDocument } from './discovery.ts'
import { listMachines, patchMachines } from './machines.ts'
import { FleetRefusal, fleetJson } from './refusals.ts'
import type { FleetRequest } from './request.ts'
import { getState, listStates } from './states.ts'
import { destroyUnit, getUnit, listUnits, setUnit } from './units.ts'

export const fleetPrefix = '/fleet/v1'

/** Rejects with FleetRefusal or JangadaError; `fleetRefusal` makes either an answer. */
export async function answerFleet(context: ApiContext, asked: ApiRequest): Promise<ApiResponse> {
  const { method } = asked
  const handler = find(asked.path)
  await authorize(context, asked, method === 'GET' || method === 'HEAD' ? 'read' : 'deploy')
  const { headers, query, repeated } = asked
  const request: FleetRequest = {
    headers,
    query,
    ...(repeated === undefined ? {} : { repeated }),
    readJson: () => readJson(asked),
  }
  return await handler(context, method, request)
}

type Handler = (
  context: ApiContext,
  method: string,
  request: FleetRequest,
) => Promise<ApiResponse> | ApiResponse

/** Throws FleetRefusal: 404, or 405 for the root. */
function find(path: string): Handler {
  if (path === fleetPrefix) throw new FleetRefusal(405)
  const [collection = '', item, ...more] = path.slice(fleetPrefix.length + 1).split('/')
  if (more.length > 0 || item === '') throw new FleetRefusal(404)
  if (item === undefined) {
    const handler = Object.hasOwn(collections, collection) ? collections[collection] : undefined
    if (handler !== undefined) return handler
  } else {
    const handler = Object.hasOwn(items, collection) ? items[collection] : undefined
    const name = decoded(item)
    // fleet looks at the path as it means it: a name with a slash is two.
    if (handler !== undefined && !name.includes('/')) return handler(name)
  }
  throw new FleetRefusal(404)
}

const only = (methods: string): FleetRefusal =>
  new FleetRefusal(405, `only ${methods} supported against this resource`)

const collections: Readonly<Record<string, Handler>> = {
  units: (context, method, request) => {
    if (method !== 'GET') throw only('GET')
    return listUnits(context, request)
  },
  state: (context, method, request) => {
    if (method !== 'GET') throw only('GET')
    return listStates(context, request)
  },
  machines: (context, method, request) => {
    if (method === 'GET') return listMachines(context, request)
    if (method === 'PATCH') return patchMachines(context, request)
    throw only('GET and PATCH')
  },
  discovery: (_context, method) => {
    if (method === 'GET') return fleetJson(discoveryDocument)
    throw new FleetRefusal(400, 'only HTTP GET supported against this resource')
  },
}

const items: Readonly<Record<string, (name: string) => Handler>> = {
  units: (name) => (context, method, request) => {
    if (method === 'GET') return getUnit(context, name)
    if (method === 'PUT') return setUnit(context, name, request)
    if (method === 'DELETE') return destroyUnit(context, name)
    throw only('GET, PUT and DELETE')
  },
  state: (name) => (context, method) => {
    if (method === 'GET') return getState(context, name)
    throw only('GET')
  },
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new FleetRefusal(400, 'the path is not well percent-encoded')
  }
}

/** A client that names another media type, as curl does by itself, still means JSON. */
async function readJson({ upload, readBody }: ApiRequest): Promise<unknown> {
  if (upload === undefined) return readBody(requestBodyBytesMax)
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of upload) {
    bytes += part.length
    if (bytes > requestBodyBytesMax) {
      throw new JangadaError('JGD_TOO_LARGE', `the body has at most ${requestBodyBytesMax} bytes`)
    }
    parts.push(part)
  }
  try {
    return bytes === 0 ? undefined : JSON.parse(fromUtf8(concat(parts)))
  } catch {
    throw new JangadaError('JGD_BAD_REQUEST', 'the body is not JSON')
  }
}
