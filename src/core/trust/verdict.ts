/** How a decision about trust says no: a code of the registry, and words for people. */
import type { ErrorCode } from '../../base/errors.ts'

export interface Refusal {
  readonly kind: 'refused'
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
}

export const refuse = (code: ErrorCode, message: string, hint?: string): Refusal => ({
  kind: 'refused',
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
})
