/** Tokens made, shown and judged. The store has their hashes; the text exists where it is shown. */
import { fromHex, toHex, utf8 } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import { tokens } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { TokenRecord } from '../../core/records/schemas.ts'
import {
  checkApiToken,
  type ApiScope,
  type TokenQuestion,
  type TokenScope,
} from '../../core/trust/token-check.ts'
import {
  formatToken,
  parseBearer,
  tokenIdBytes,
  tokenSecretBytes,
  type TokenText,
} from '../../core/trust/token-text.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Crypto } from '../../ports/crypto.ts'
import type { Entropy } from '../../ports/entropy.ts'
import { listAll } from '../member/follow.ts'
import type { Consistency } from '../member/store-access.ts'
import { putEvent, readRecord, type EnrolContext, type EnrolStore } from './context.ts'

/** Enough to rack up a room with one token; another room gets another token. */
export const joinTokenUsesMax = 10_000
export const tokenLifetimeMsMax = 20 * 365 * 86_400_000

export interface TokenRequest {
  readonly scope: TokenScope
  readonly roleCeiling: TokenRecord['roleCeiling']
  /** How many machines may join; not counted for API scopes. */
  readonly uses: number
  readonly lifetimeMs: number
}

interface MintInput extends Pick<TokenText, 'use' | 'clusterId' | 'pin'> {
  readonly scope: TokenScope
  readonly roleCeiling: TokenRecord['roleCeiling']
  readonly usesLeft: number
  readonly expiresMs: number
}

/** A token's text, for eyes, and its record, for the store. */
export function mintToken(
  deps: { readonly crypto: Crypto; readonly clock: Clock; readonly entropy: Entropy },
  { use, clusterId, pin, ...rest }: MintInput,
): { text: string; record: TokenRecord } {
  const id = toHex(deps.entropy.bytes(tokenIdBytes))
  const secret = toHex(deps.entropy.bytes(tokenSecretBytes))
  const text = formatToken({ use, clusterId, pin, id, secret })
  const secretHash = toHex(deps.crypto.sha256(utf8(secret)))
  return { text, record: { v: 1, id, secretHash, ...rest, createdMs: deps.clock.wallMs() } }
}

/**
 * `jangada token create`. Rejects with JGD_BAD_REQUEST for uses or a lifetime out of bounds. The
 * text is returned once and stored nowhere.
 */
export async function createToken(
  context: Pick<EnrolContext, 'clusterId' | 'store' | 'crypto' | 'clock' | 'entropy'>,
  authorityPem: string,
  request: TokenRequest,
): Promise<{ text: string; record: TokenRecord }> {
  const { scope, roleCeiling, uses, lifetimeMs } = request
  const use = scope === 'machine' ? 'join' : 'api'
  if (use === 'join' && !isWithin(uses, 1, joinTokenUsesMax)) {
    throw outOfBounds(`a join token has 1 to ${joinTokenUsesMax} uses`)
  }
  if (!isWithin(lifetimeMs, 1, tokenLifetimeMsMax)) {
    throw outOfBounds('a token lives at least a millisecond and at most 20 years')
  }
  const minted = mintToken(context, {
    use,
    clusterId: context.clusterId,
    pin: context.crypto.spkiHash(authorityPem),
    scope,
    roleCeiling,
    usesLeft: use === 'join' ? uses : 0,
    expiresMs: context.clock.wallMs() + lifetimeMs,
  })
  const { id } = minted.record
  const message = `token ${id} was made, scope ${scope}`
  const then = [
    tokens.put(minted.record, id),
    putEvent(context, { kind: 'token.created', severity: 'info', message }),
  ]
  await context.store.transact({ compare: [], then, otherwise: [] })
  return minted
}

const isWithin = (value: number, min: number, max: number): boolean =>
  Number.isSafeInteger(value) && value >= min && value <= max

const outOfBounds = (message: string): JangadaError => new JangadaError('JGD_BAD_REQUEST', message)

/** What is known of a shown token. The comparison takes the same time wherever they differ. */
export async function askAboutToken(
  context: Pick<EnrolContext, 'store' | 'crypto' | 'clock'>,
  shown: { readonly id: string; readonly secret: string },
  consistency: Consistency = 'linearizable',
): Promise<{ stored: Stored<TokenRecord> | undefined; question: TokenQuestion }> {
  const { items } = await context.store.range({ key: tokens.key(shown.id) }, consistency)
  const stored = items[0] === undefined ? undefined : tokens.read(items[0])
  const shownHash = context.crypto.sha256(utf8(shown.secret))
  const expected = stored === undefined ? new Uint8Array(32) : fromHex(stored.value.secretHash)
  const secretMatches = context.crypto.constantTimeEqual(shownHash, expected)
  const nowMs = context.clock.wallMs()
  return { stored, question: { record: stored?.value, secretMatches, nowMs } }
}

/**
 * Judges what follows `Bearer` in an Authorization header. Rejects with JGD_UNAUTHENTICATED when
 * it is no token, JGD_TOKEN_INVALID, JGD_TOKEN_EXPIRED, or JGD_FORBIDDEN when its scope is too
 * small. Read from this node's own copy, so that a node without quorum still answers: a token
 * that was taken back works there until it hears of it.
 */
export async function authorizeBearer(
  context: { readonly store: EnrolStore; readonly crypto: Crypto; readonly clock: Clock },
  bearer: string,
  needed: ApiScope,
): Promise<TokenRecord> {
  const shown = parseBearer(bearer)
  if (shown === undefined) {
    throw new JangadaError('JGD_UNAUTHENTICATED', 'the Authorization header holds no API token', {
      hint: 'send "Authorization: Bearer A1.…"; `jangada token create` makes one',
    })
  }
  const question = await askAboutBearer(context, bearer, shown)
  const verdict = checkApiToken(question, needed)
  if (verdict.kind === 'accepted') return verdict.record
  const { code, message, hint } = verdict
  throw new JangadaError(code, message, hint === undefined ? {} : { hint })
}

/**
 * Tokens whose secret was found right, with the write of their record that it was compared with:
 * programs show the same one with each request. Invariant: at most `provenMax` a store.
 */
const proven = new WeakMap<EnrolStore, Map<string, Stored<TokenRecord>>>()
const provenMax = 1000

/** As `askAboutToken`, from this node's own copy; hashed and parsed once while it stays the same. */
async function askAboutBearer(
  context: { readonly store: EnrolStore; readonly crypto: Crypto; readonly clock: Clock },
  bearer: string,
  shown: { readonly id: string; readonly secret: string },
): Promise<TokenQuestion> {
  const { store, clock } = context
  const known = proven.get(store)?.get(bearer)
  if (known !== undefined) {
    const { items } = await store.range({ key: known.key }, 'local')
    if (items[0]?.modRevision === known.modRevision) {
      return { record: known.value, secretMatches: true, nowMs: clock.wallMs() }
    }
  }
  const { stored, question } = await askAboutToken(context, shown, 'local')
  if (stored === undefined || !question.secretMatches) return question
  let own = proven.get(store)
  if (own === undefined || own.size >= provenMax) {
    own = new Map()
    proven.set(store, own)
  }
  own.set(bearer, stored)
  return question
}

/** Every token's record, none of which holds a secret. */
export async function listTokens(store: EnrolStore): Promise<TokenRecord[]> {
  const { items } = await listAll(store, tokens.range, 'linearizable')
  return items.flatMap((item) => tokens.read(item)?.value ?? [])
}

/** Takes a token back; machines that joined with it stay. Rejects with JGD_NOT_FOUND. */
export async function deleteToken(
  context: Pick<EnrolContext, 'store' | 'clock' | 'entropy'>,
  id: string,
): Promise<void> {
  const found = await readRecord(context.store, tokens, id)
  if (found === undefined) throw new JangadaError('JGD_NOT_FOUND', `there is no token ${id}`)
  const message = `token ${id} was taken back`
  const then = [
    { kind: 'delete', key: found.key } as const,
    putEvent(context, { kind: 'token.deleted', severity: 'info', message }),
  ]
  await context.store.transact({ compare: [], then, otherwise: [] })
}
