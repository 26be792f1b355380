/**
 * Pages of fleet's lists. A token is the page's size and its number, two little-endian 16-bit words in
 * base64url: a page is cut from the list as it is when it is asked for (fleet `api/pagination.go`).
 */
import { fromBase64, toBase64 } from '../../../base/bytes.ts'
import type { ApiRequest } from '../messages.ts'
import { FleetRefusal } from './refusals.ts'

/** fleet's default `token_limit`. */
export const pageSize = 100
const numberMax = 0xffff
const tokenBytes = 4

/**
 * The entities of the page that the request's `nextPageToken` asks for, under `name`, and the next
 * one's token.
 * An empty list has no name, as in fleet; one that ends with a whole page is followed by an empty
 * page. Throws FleetRefusal 400.
 */
export function pageOf<T>(
  name: string,
  all: readonly T[],
  entityOf: (one: T) => unknown,
  { query, repeated }: Pick<ApiRequest, 'query' | 'repeated'>,
): Readonly<Record<string, unknown>> {
  if (repeated?.has('nextPageToken') === true) {
    throw new FleetRefusal(400, 'too many values for page token')
  }
  const token = query.get('nextPageToken')
  const number = token === undefined ? 1 : numberOf(token)
  const start = (number - 1) * pageSize
  const stop = number * pageSize
  const items = all.slice(start, stop)
  const hasNext = start < all.length && stop <= all.length && number < numberMax
  return {
    ...(hasNext ? { nextPageToken: encodeToken(number + 1) } : {}),
    ...(items.length === 0 ? {} : { [name]: items.map(entityOf) }),
  }
}

function numberOf(token: string): number {
  const at = firstWrongByte(token)
  if (at !== undefined) throw new FleetRefusal(400, `illegal base64 data at input byte ${at}`)
  const bytes = fromBase64(token.replaceAll('-', '+').replaceAll('_', '/'))
  if (bytes === undefined || bytes.length < tokenBytes) {
    throw new FleetRefusal(400, token === '' ? 'EOF' : 'unexpected EOF')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const limit = view.getUint16(0, true)
  const page = view.getUint16(2, true)
  if (limit !== pageSize) throw new FleetRefusal(400, `token limit must be ${pageSize}`)
  if (page === 0) throw new FleetRefusal(400, 'token page must be greater than zero')
  return page
}

/** Where Go's decoder of padded base64url (`encoding/base64`) stops; undefined when it does not. */
function firstWrongByte(token: string): number | undefined {
  const at = /[^A-Za-z0-9\-_]/.exec(token)?.index ?? token.length
  const within = at % 4
  if (at === token.length) return within === 0 ? undefined : at - within
  if (token[at] !== '=' || within < 2) return at
  const end = at + 4 - within
  if (within === 2 && token.length > at + 1 && token[at + 1] !== '=') return at
  return token.length === end ? undefined : Math.min(token.length, end)
}

function encodeToken(page: number): string {
  const bytes = new Uint8Array(tokenBytes)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, pageSize, true)
  view.setUint16(2, page, true)
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_')
}
