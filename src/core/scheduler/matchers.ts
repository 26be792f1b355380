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
    matcher = matcherOf(pattern)
    matchers.set(pattern, matcher)
  }
  return matcher(name)
}

/** What every name that the pattern matches begins with; all of it where nothing in it stands for others. */
export function literalStart(pattern: string): string {
  const special = pattern.search(/[*?[\\]/u)
  return special < 0 ? pattern : pattern.slice(0, special)
}

/** Most names do not even begin as the pattern does. */
function matcherOf(pattern: string): (name: string) => boolean {
  const matcher = globMatcher(pattern) ?? never
  const start = literalStart(pattern)
  if (start === pattern) return (name) => name === pattern
  return (name) => name.startsWith(start) && matcher(name)
}
