/** The program's version. */
import { readFileSync } from 'node:fs'

/** Put in by the build; absent when run from a checkout. */
declare const JANGADA_VERSION: string | undefined

/** As in package.json, for example `0.1.0`. */
export function version(): string {
  if (typeof JANGADA_VERSION === 'string') return JANGADA_VERSION
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
