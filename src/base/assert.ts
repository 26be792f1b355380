/**
 * Assertions that stay on in production. A failed assertion is our own bug: the process ends
 * rather than going on with a state nobody reasoned about.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws `AssertionError` unless `condition` holds. `message` says the invariant, not the failure. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(`invariant broken: ${message}`)
}

/** The end of every exhaustive switch. */
export function assertNever(value: never): never {
  throw new AssertionError(`unreachable case: ${JSON.stringify(value)}`)
}

/** `value`, which the caller knows to be present. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`${what} must be present`)
  return value
}
