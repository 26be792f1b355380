/** What `npm run history` says to a person who asked for the wrong thing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { run } from '../../src/tools/rack/processes.ts'

const history = (...words: string[]) =>
  run([process.execPath, path.join(import.meta.dirname, 'main.ts'), ...words])

t.test('what cannot be run is refused before anything is built', async (t) => {
  const refused: readonly (readonly [string[], RegExp])[] = [
    [[], /JGD_USAGE: --out FILE/],
    [['--out', 'x', '--faults', 'kill,fire'], /there is no fault "fire"/],
    [['--out', 'x', '--seconds', 'long'], /--seconds is a whole number/],
    [['--out', 'x', '--clients', '0'], /--clients is a whole number from 1/],
    [['--speed', '9'], /--speed/],
    [['--check', '/nowhere/at/all'], /\/nowhere\/at\/all/],
  ]
  for (const [words, says] of refused) {
    t.match(await history(...words), { code: 2, stdout: '', stderr: says }, words.join(' '))
  }
})

t.test('a file is checked, and the line that breaks it is told', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'jangada-history-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const file = path.join(directory, 'file')
  const line = (op: string, value: string | null, start: number): string =>
    JSON.stringify({
      ...{ client: 1, op, key: 'k', value, expected: null, ok: true },
      ...{ start, end: start + 5 },
    })
  await writeFile(file, `${line('put', 'a', 0)}\n${line('get', 'a', 10)}\n`)
  t.match(await history('--check', file), { code: 0, stdout: /2 operations on 1 keys/ })
  await writeFile(file, `${line('put', 'a', 0)}\n${line('get', null, 10)}\n`)
  const { code, stdout } = await history('--check', file)
  t.equal(code, 1)
  t.match(stdout, /No order explains line 2:/)
  t.match(stdout, /the key could hold: .something that nobody read/)
  await writeFile(file, 'hello\n')
  t.match(await history('--check', file), { code: 2, stderr: /line 1 is not JSON/ })
})
