/** Seeds that failed once, one a line, with what they found after a `#`. They run first. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

export function knownSeeds(): number[] {
  const text = readFileSync(path.join(import.meta.dirname, 'seeds.txt'), 'utf8')
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map(Number)
}
