/** The outside scripts, where the checkout has them beside it; in CI they must be there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runRaftSuite } from './raft.ts'
import { parseScript } from './script.ts'

const suites = join(import.meta.dirname, '../../../shared/conformance/raft')
const missing = !existsSync(suites)
if (missing && process.env['CI'] === 'true') t.fail(`the outside scripts are missing: ${suites}`)

for (const folder of ['quorum', 'confchange', 'interaction']) {
  t.test(`${folder}: every command answers as the script says`, { skip: missing }, async (t) => {
    const { files, passed, failures } = await runRaftSuite(join(suites, folder))
    t.same(failures, [])
    t.ok(files > 0 && passed > 0, `${passed} commands in ${files} files`)
  })
}

t.test('a script is read as its format says', async (t) => {
  const text =
    '# note\nvote cfg=(1, 2) x=y flag\ninput\n----\nline\n\nnext\n----\n----\na\n\nb\n----\n----\n'
  t.match(parseScript(text), [
    {
      line: 2,
      name: 'vote',
      args: [
        { key: 'cfg', values: ['1', '2'] },
        { key: 'x', values: ['y'] },
        { key: 'flag', values: [] },
      ],
      input: 'input',
      expected: 'line',
    },
    { line: 7, name: 'next', expected: 'a\n\nb' },
  ])
})
