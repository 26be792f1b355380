/** What the rack needs from outside, and waiting for a condition with it. */
import { JangadaError } from '../../base/errors.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

export interface RackWorld {
  readonly clock: Clock
  readonly log: Log
}

export interface Wait {
  /** For the message when it does not come true: `n1 answers`. */
  readonly what: string
  readonly timeoutMs: number
  readonly pollMs?: number
  /** Read when the time is over, to be shown: the last lines of a log. */
  readonly evidence?: () => Promise<string>
}

const pollMsDefault = 20

/**
 * The first value of `look` that is not undefined. Throws `JGD_RACK` after `timeoutMs`, with the
 * last error of `look` as its cause. An error of `look` that is a `JangadaError` is final.
 */
export async function until<T>(
  clock: Clock,
  wait: Wait,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = clock.monotonicMs() + wait.timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const seen = await look()
      if (seen !== undefined) return seen
    } catch (error) {
      if (error instanceof JangadaError) throw error
      cause = error
    }
    if (clock.monotonicMs() >= deadlineMs) break
    await sleep(clock, wait.pollMs ?? pollMsDefault)
  }
  const evidence = (await wait.evidence?.()) ?? ''
  throw new JangadaError(
    'JGD_RACK',
    `waited ${wait.timeoutMs / 1000} s in vain: ${wait.what}${evidence === '' ? '' : `\n${evidence}`}`,
    { cause, hint: 'Look at `jangada rack logs HOST`.' },
  )
}

/** For the many places where "it is not there" is as good an answer as any other. */
export const orUndefined = async <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch(() => undefined)

export const rackError = (message: string, hint?: string, cause?: unknown): JangadaError =>
  new JangadaError('JGD_RACK', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
