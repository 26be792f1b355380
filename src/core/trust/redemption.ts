/**
 * Whether a boot nonce may be redeemed. Its seal has been verified already; this is about dates
 * and about who came first. One key redeems a nonce, and may do so again, because an answer can
 * be lost; another key with the same nonce is a copy made on the wire.
 */
import type { NonceRecord } from '../records/schemas.ts'
import { refuse, type Refusal } from './verdict.ts'

export interface RedemptionQuestion {
  /** Who redeemed it before, if anyone. */
  readonly redeemed: NonceRecord | undefined
  readonly keyHash: string
  /** This key already waits or is admitted by a nonce: it has proven itself and asks again. */
  readonly known: boolean
  readonly expiresMs: number
  readonly nowMs: number
}

export type RedemptionVerdict =
  | { readonly kind: 'redeem' }
  /** Nothing to write: this key has redeemed it. */
  | { readonly kind: 'again' }
  | Refusal

export function decideRedemption(question: RedemptionQuestion): RedemptionVerdict {
  const { redeemed, keyHash, known, expiresMs, nowMs } = question
  if (redeemed !== undefined && redeemed.keyHash !== keyHash) {
    const message = 'this boot nonce was redeemed with another key'
    return refuse('JGD_NONCE_REUSED', message, 'someone copied it: look at the boot link')
  }
  // A machine polls under its nonce for as long as the operator lets it wait. The record of the
  // redemption may have been trimmed by then, so the admission's key is enough.
  if (redeemed !== undefined || known) return { kind: 'again' }
  if (nowMs >= expiresMs) {
    return refuse('JGD_NONCE_INVALID', 'this boot nonce has expired', 'boot the machine again')
  }
  return { kind: 'redeem' }
}
