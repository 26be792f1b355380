/** Whether a token opens what it is shown for. */
import type { TokenRecord } from '../records/schemas.ts'
import { refuse, type Refusal } from './verdict.ts'

export type TokenScope = TokenRecord['scope']
export type ApiScope = Exclude<TokenScope, 'machine'>

export interface TokenQuestion {
  /** Undefined when no token has that id. */
  readonly record: TokenRecord | undefined
  /** The shown secret has the record's hash; compared where the time it takes tells nothing. */
  readonly secretMatches: boolean
  readonly nowMs: number
}

export type TokenVerdict = { readonly kind: 'accepted'; readonly record: TokenRecord } | Refusal

/** Each API scope holds those before it; `machine` stands apart and opens only the cluster. */
const apiScopes: readonly ApiScope[] = ['read', 'deploy', 'admin']

/**
 * For a request to the API. `usesLeft` counts machines that join, not requests, and is not
 * looked at here.
 */
export function checkApiToken(question: TokenQuestion, needed: ApiScope): TokenVerdict {
  const verdict = checkSecretAndDate(question)
  if (verdict.kind === 'refused') return verdict
  const { scope } = verdict.record
  if (scope === 'machine' || apiScopes.indexOf(scope) < apiScopes.indexOf(needed)) {
    const message = `this token has the scope "${scope}"; "${needed}" is needed`
    return refuse('JGD_FORBIDDEN', message, `ask for one: jangada token create --scope ${needed}`)
  }
  return verdict
}

/** For a machine that wants to join: one use must be left. */
export function checkJoinToken(question: TokenQuestion): TokenVerdict {
  const verdict = checkSecretAndDate(question)
  if (verdict.kind === 'refused') return verdict
  if (verdict.record.scope !== 'machine') {
    return refuse('JGD_FORBIDDEN', 'this token opens the API; it lets no machine join', newToken)
  }
  if (verdict.record.usesLeft === 0) {
    return refuse('JGD_TOKEN_USED_UP', 'every use of this join token is spent', newToken)
  }
  return verdict
}

/** Whether the shown token is the one of the record at all, whatever its date and uses. */
export const isGenuine = (question: TokenQuestion): boolean =>
  question.record !== undefined && question.secretMatches

const newToken = 'make a new one on any machine of the cluster: jangada token create'

function checkSecretAndDate({ record, secretMatches, nowMs }: TokenQuestion): TokenVerdict {
  // An unknown id and a wrong secret get one answer: which ids exist is nobody's business.
  if (record === undefined || !secretMatches) {
    return refuse('JGD_TOKEN_INVALID', 'no such token, or its secret is wrong', newToken)
  }
  if (nowMs >= record.expiresMs) {
    return refuse('JGD_TOKEN_EXPIRED', 'this token has expired', newToken)
  }
  return { kind: 'accepted', record }
}
