/**
 * The one registry of errors that people and programs see. A code is never reused, and its
 * meaning never changes. Each message says what was wrong; each hint says what to do next.
 *
 * Three kinds of error are never mixed: our bug (`assert`), the caller's mistake (`JangadaError`
 * from here), and the world's failure (a typed result, or a `JangadaError` with its cause).
 */

export const errorCodes = {
  // requests
  JGD_BAD_REQUEST: { status: 400, exit: 2 },
  JGD_USAGE: { status: 400, exit: 2 },
  JGD_UNAUTHENTICATED: { status: 401, exit: 1 },
  JGD_FORBIDDEN: { status: 403, exit: 1 },
  JGD_NOT_FOUND: { status: 404, exit: 1 },
  JGD_CONFLICT: { status: 409, exit: 1 },
  JGD_TOO_LARGE: { status: 413, exit: 1 },
  JGD_TOO_MANY: { status: 429, exit: 1 },
  JGD_TOO_SLOW: { status: 408, exit: 1 },
  // units
  JGD_UNIT_SYNTAX: { status: 400, exit: 1 },
  JGD_UNIT_UNSUPPORTED: { status: 400, exit: 1 },
  JGD_UNIT_NAME: { status: 400, exit: 1 },
  JGD_UNIT_EXISTS: { status: 409, exit: 1 },
  JGD_UNIT_UNKNOWN: { status: 404, exit: 1 },
  JGD_UNIT_IS_TEMPLATE: { status: 400, exit: 1 },
  // consensus and store
  JGD_NO_QUORUM: { status: 503, exit: 1 },
  JGD_NOT_LEADER: { status: 503, exit: 1 },
  JGD_OUTCOME_UNKNOWN: { status: 504, exit: 1 },
  JGD_STALE_TERM: { status: 409, exit: 1 },
  JGD_COMPACTED: { status: 410, exit: 1 },
  JGD_FUTURE_REVISION: { status: 400, exit: 1 },
  JGD_LEASE_UNKNOWN: { status: 404, exit: 1 },
  JGD_OVERLOADED: { status: 503, exit: 1 },
  JGD_KEY_RESERVED: { status: 403, exit: 1 },
  JGD_STORE_FULL: { status: 507, exit: 1 },
  JGD_MEMBER_CHANGE_PENDING: { status: 409, exit: 1 },
  JGD_FEATURE_LEVEL: { status: 409, exit: 1 },
  JGD_SHUTTING_DOWN: { status: 503, exit: 1 },
  // disk
  JGD_WAL_DAMAGED: { status: 500, exit: 1 },
  JGD_WAL_FOREIGN: { status: 500, exit: 1 },
  JGD_WAL_VERSION: { status: 500, exit: 1 },
  JGD_DISK_FAILED: { status: 500, exit: 1 },
  JGD_DISK_FULL: { status: 507, exit: 1 },
  JGD_DISK_READ_ONLY: { status: 500, exit: 1 },
  JGD_DISK_REFUSED: { status: 500, exit: 1 },
  JGD_STATE_DIR: { status: 500, exit: 1 },
  // trust
  JGD_TOKEN_INVALID: { status: 401, exit: 1 },
  JGD_TOKEN_EXPIRED: { status: 401, exit: 1 },
  JGD_TOKEN_USED_UP: { status: 401, exit: 1 },
  JGD_NONCE_INVALID: { status: 401, exit: 1 },
  JGD_NONCE_REUSED: { status: 401, exit: 1 },
  JGD_WRONG_CLUSTER: { status: 403, exit: 1 },
  JGD_PIN_MISMATCH: { status: 502, exit: 1 },
  JGD_KEY_UNKNOWN: { status: 403, exit: 1 },
  JGD_ADMISSION_PENDING: { status: 202, exit: 1 },
  JGD_MACHINE_LIVE: { status: 409, exit: 1 },
  JGD_ALREADY_INITIALIZED: { status: 409, exit: 1 },
  JGD_NOT_INITIALIZED: { status: 409, exit: 1 },
  // engine and agent
  JGD_ENGINE_DOWN: { status: 503, exit: 1 },
  JGD_FENCER_DOWN: { status: 503, exit: 1 },
  JGD_ENGINE_NO_LIVE_RESTORE: { status: 200, exit: 0 },
  JGD_ENGINE_DISK: { status: 200, exit: 0 },
  JGD_IMAGE_PULL: { status: 502, exit: 1 },
  JGD_IMAGE_MISSING: { status: 404, exit: 1 },
  JGD_MACHINE_UNREACHABLE: { status: 502, exit: 1 },
  // boot
  JGD_LINK_UNKNOWN: { status: 400, exit: 1 },
  JGD_PORT_TAKEN: { status: 409, exit: 1 },
  JGD_FOREIGN_DHCP: { status: 409, exit: 1 },
  JGD_POOL_FULL: { status: 503, exit: 1 },
  JGD_ASSET_MISSING: { status: 404, exit: 1 },
  JGD_DIGEST_MISMATCH: { status: 422, exit: 1 },
  JGD_IMAGE_FORMAT: { status: 422, exit: 1 },
  // rack and environment
  JGD_NEEDS_ROOT: { status: 500, exit: 1 },
  JGD_NEEDS_LINUX: { status: 500, exit: 1 },
  JGD_RACK: { status: 500, exit: 1 },
  JGD_TOOL_MISSING: { status: 500, exit: 1 },
  JGD_COMMAND_FAILED: { status: 500, exit: 1 },
  JGD_UNREACHABLE: { status: 502, exit: 1 },
  JGD_INTERNAL: { status: 500, exit: 1 },
} as const satisfies Record<string, { status: number; exit: number }>

export type ErrorCode = keyof typeof errorCodes

/** What crosses the API: `{"error": {"code", "message", "hint"?, "details"?}}`. */
export interface ErrorBody {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly details?: unknown
}

export class JangadaError extends Error {
  override readonly name = 'JangadaError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: unknown

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; details?: unknown; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details
  }

  get status(): number {
    return errorCodes[this.code].status
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    }
  }

  static fromBody(body: ErrorBody): JangadaError {
    return new JangadaError(body.code in errorCodes ? body.code : 'JGD_INTERNAL', body.message, {
      ...(body.hint === undefined ? {} : { hint: body.hint }),
      ...(body.details === undefined ? {} : { details: body.details }),
    })
  }
}

export const isJangadaError = (error: unknown, code?: ErrorCode): error is JangadaError =>
  error instanceof JangadaError && (code === undefined || error.code === code)

/** `error` as one line for a log or a message, with its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error instanceof JangadaError ? `${error.code}: ${error.message}` : error.message
  return error.cause === undefined ? own : `${own} (${describeError(error.cause)})`
}
