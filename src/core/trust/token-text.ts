/**
 * Tokens as people carry them: `J1.<cluster>.<pin>.<id>.<secret>` lets a machine join, and
 * `A1.…` opens the API. The pin, SHA-256 of the CA's SubjectPublicKeyInfo, comes before the
 * secret is sent anywhere; the id finds the record, and the store knows only the secret's hash.
 */
import { assert } from '../../base/assert.ts'
import { clusterId, type ClusterId } from '../../base/ids.ts'

export interface TokenText {
  readonly use: 'join' | 'api'
  readonly clusterId: ClusterId
  /** SHA-256 of the CA's SPKI, 64 lower-case hex digits. */
  readonly pin: string
  /** 16 lower-case hex digits. */
  readonly id: string
  /** 64 lower-case hex digits: 256 bits. */
  readonly secret: string
}

/** The random bytes behind an id and a secret. */
export const tokenIdBytes = 8
export const tokenSecretBytes = 32

const letters = { join: 'J1', api: 'A1' } as const
const textShape = /^(J1|A1)\.([0-9a-f]{32})\.([0-9a-f]{64})\.([0-9a-f]{16})\.([0-9a-f]{64})$/
const bearerShape = /^([0-9a-f]{16})\.([0-9a-f]{64})$/

export function formatToken(token: TokenText): string {
  const { clusterId: cluster, pin, id, secret } = token
  const text = [letters[token.use], cluster, pin, id, secret].join('.')
  assert(textShape.test(text), 'a token that is made can be read')
  return text
}

/** Undefined when it is no token of ours. Space around it, as from a copied line, is forgiven. */
export function parseToken(text: string): TokenText | undefined {
  const match = textShape.exec(text.trim())
  if (match === null) return undefined
  const [, letter = '', cluster = '', pin = '', id = '', secret = ''] = match
  return { use: letter === 'J1' ? 'join' : 'api', clusterId: clusterId(cluster), pin, id, secret }
}

/** What goes after `Bearer` in an Authorization header: no more than the server needs. */
export const formatBearer = (token: TokenText): string => `${token.id}.${token.secret}`

/** Takes the short form and, for people with curl, a whole API token. */
export function parseBearer(text: string): { id: string; secret: string } | undefined {
  const match = bearerShape.exec(text)
  if (match !== null) return { id: match[1] as string, secret: match[2] as string }
  const token = parseToken(text)
  return token?.use === 'api' ? { id: token.id, secret: token.secret } : undefined
}
