import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const main = path.join(import.meta.dirname, 'main.ts')
const seeds = 20
t.setTimeout(600_000)

async function hashes(): Promise<string[]> {
  const args = [main, '--seed', '501', '--seeds', String(seeds), '--hashes']
  const { stdout } = await run(process.execPath, args)
  return stdout.split('\n').filter((line) => /^\d+ [0-9a-f]{64}$/.test(line))
}

t.test('one seed is one history, whichever process runs it', async (t) => {
  const [first, second] = await Promise.all([hashes(), hashes()])
  t.equal(first.length, seeds)
  t.equal(new Set(first).size, seeds, 'each seed has a history of its own')
  t.same(second, first)
})
