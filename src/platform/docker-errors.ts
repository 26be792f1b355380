/** What the engine's refusals, and its silence, mean to us. */
import { describeError, JangadaError } from '../base/errors.ts'

/** The HTTP status behind an error of `engineError` or of dockerode; undefined without one. */
export function statusOf(error: unknown): number | undefined {
  const from = error instanceof JangadaError ? error.cause : error
  const { statusCode } = (from ?? {}) as { statusCode?: unknown }
  return typeof statusCode === 'number' ? statusCode : undefined
}

export const isAbsent = (error: unknown): boolean => statusOf(error) === 404

/** Whatever is not an answer is silence: no socket, a connection broken, a time run out. */
export function engineError(error: unknown): JangadaError {
  if (error instanceof JangadaError) return error
  const status = statusOf(error)
  if (status === undefined) {
    const message = `the container engine does not answer: ${describeError(error)}`
    return new JangadaError('JGD_ENGINE_DOWN', message, {
      cause: error,
      hint: 'is dockerd running on this machine?',
    })
  }
  const { json } = error as { json?: { message?: unknown } }
  const message = typeof json?.message === 'string' ? json.message : describeError(error)
  const code =
    status === 404 ? 'JGD_NOT_FOUND' : status === 409 ? 'JGD_CONFLICT' : 'JGD_BAD_REQUEST'
  // dockerode's own message says the engine's once more; the status is all that it adds.
  const cause = Object.assign(new Error(`HTTP ${status}`), { statusCode: status })
  return new JangadaError(code, message, { cause })
}
