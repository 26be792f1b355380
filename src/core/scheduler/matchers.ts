/** Compiled patterns: a plan tries the same few against thousands of names. */
import { globMatcher } from '../../base/glob.ts'

/** Beyond this all are forgotten at once, so that hostile patterns cannot fill the memory. */
const maxMatchers = 10_000
const matchers = new Map<string, (name: string) => boolean>()
const never = (): boolean => false

/** A malformed pattern matches nothing; such units are refused when they are submitted. */
export function matchesGlob(pattern: string, name: string): boolean {
  let matcher = matchers.get(pattern)
  if (matcher === undefined) {
    if (matchers.size >= maxMatchers) matchers.clear()
    matcher = globMatcher(pattern) ?? never
    matchers.set(pattern, matcher)
  }
  return matcher(name)
}
