/**
 * `npm run test:long -- NAME [ARGUMENT…]`: tests that take longer than every push should wait, with
 * the engine's flags that the binary has (scripts/lib/binary.mjs).
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== path.basename(import.meta.filename))
  .map((file) => file.replace(/\.ts$/, ''))
const [name = '', ...rest] = process.argv.slice(2)
if (names.includes(name)) {
  const file = path.join(import.meta.dirname, `${name}.ts`)
  const { status } = spawnSync(process.execPath, [...process.execArgv, file, ...rest], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} else {
  process.stderr.write(`usage: npm run test:long -- ${names.join('|')}\n`)
  process.exitCode = 2
}
