/** docs/operations.md is where people look a code up, so its table is held against the registry. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { errorCodes } from '../../src/base/errors.ts'

const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const rows = [...text.matchAll(/^\| `(JGD_[A-Z_]+)` \| (\d+) \| (.+) \| (.+) \|$/gm)]

t.test('every code is told, once, and no other', async (t) => {
  t.same(
    rows.map(([, code]) => code),
    Object.keys(errorCodes),
    'in the order of the registry',
  )
})

t.test('with the HTTP status that it has', async (t) => {
  const told = rows.map(([, code, status]) => [code, Number(status)])
  const registered = Object.entries(errorCodes).map(([code, { status }]) => [code, status])
  t.same(told, registered)
})

t.test('with what it says and what to do', async (t) => {
  for (const [, code, , meaning = '', remedy = ''] of rows) {
    t.ok(meaning.trim().length >= 10 && remedy.trim().length >= 3, `${code} has words`)
  }
})
