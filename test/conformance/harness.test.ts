/** The harness itself: that it knows what it must, and that its failures are failures. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { runFile } from './raft.ts'
import { parseScript } from './script.ts'

const suites = join(import.meta.dirname, '../../../shared/conformance/raft')
const missing = !existsSync(suites)
const main = join(import.meta.dirname, 'main.ts')

/** A group of two, and one line for each command there is. */
const everyCommand = `
log-level none
add-nodes 2 voters=(1,2) index=2
set-randomized-election-timeout 1 timeout=3
campaign 1
stabilize
propose 1 word
propose-conf-change 1 v1=true
process-ready 1
deliver-msgs 2
process-append-thread 1
process-apply-thread 1
raft-log 1
raft-state
status 1
tick-heartbeat 1
tick-election 2
stabilize
compact 1 3
send-snapshot 1 2
report-unreachable 1 2
forget-leader 2
transfer-leadership from=1 to=2
`

/** Each of the lines as a command, with a change as input where it needs one, of which nothing is expected. */
const scriptOf = (lines: string): string =>
  lines
    .trim()
    .split('\n')
    .map((line) => `${line}${line.startsWith('propose-conf') ? '\nu2' : ''}\n----\nok\n`)
    .join('\n')

function run(directory: string): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'raft', directory], (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code)
      resolve({ code, output: stdout + stderr })
    })
  })
}

/** A suite of one script, in a folder whose name says nothing. */
async function suiteOf(directory: string, text: string): Promise<string> {
  await writeFile(join(directory, 'own.txt'), text)
  return directory
}

async function outsideScripts(): Promise<readonly { path: string; text: string }[]> {
  const found = await readdir(suites, { recursive: true })
  const paths = found.filter((name) => name.endsWith('.txt')).map((name) => join(suites, name))
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, 'utf8') })))
}

t.test('all twenty-one commands are known, and no other', async (t) => {
  const names = new Set(parseScript(scriptOf(everyCommand)).map(({ name }) => name))
  t.equal(names.size, 21)
  const text = scriptOf(everyCommand)
  t.same(runFile('own.txt', text), {
    passed: text.match(/----/g)?.length,
    failures: [],
  })
  const directory = t.testdir()
  t.match(await run(await suiteOf(directory, text)), { code: 0, output: /22 passed, 0 failed/ })
  const unknown = await run(await suiteOf(directory, scriptOf(`${everyCommand}abdicate 1`)))
  t.match(unknown, { code: 1, output: /UnknownCommand: abdicate/ })
})

t.test('a snapshot sent out of turn is taken, and its answer is counted', async (t) => {
  const text = `
log-level none
----
ok

add-nodes 1 voters=(1,2) index=10
----
ok

add-nodes 1 voters=(1,2) index=5
----
ok

campaign 1
----
ok

process-ready 1
----
ok

stabilize 2
----
ok

stabilize 1
----
ok

deliver-msgs drop=2
----
ok

send-snapshot 1 2
----
ok

stabilize
----
ok

log-level warn
----
ok

status 1
----
1: StateReplicate match=11 next=12
2: StateReplicate match=11 next=12
`
  t.same(runFile('own.txt', text).failures, [])
})

t.test('proposals of a follower reach the leader', async (t) => {
  const text = `
log-level none
----
ok

add-nodes 2 voters=(1,2) index=2
----
ok

campaign 1
----
ok

stabilize
----
ok

log-level debug
----
ok

propose 2 word
----
ok

process-ready 2
----
Ready MustSync=false:
Messages:
2->1 MsgProp Term:0 Log:0/0 Entries:[0/0 EntryNormal "word"]

stabilize log-level=none
----
ok

raft-log 2
----
1/3 EntryNormal ""
1/4 EntryNormal "word"
`
  t.same(runFile('own.txt', text).failures, [])
})

t.test('one changed character anywhere fails the run', { skip: missing }, async (t) => {
  const random = new SeededRandom(1)
  let changedScript = ''
  for (const { path, text } of await outsideScripts()) {
    t.same(runFile(path, text).failures, [])
    const { line, expected } = random.pick(parseScript(text).filter((one) => one.expected !== ''))
    const from = text.split('\n').slice(0, line).join('\n').length
    const start = text.indexOf('----\n', from) + 5
    const letters = [...expected.matchAll(/\w/g)].map(({ index }) => index)
    const at = start + random.pick(letters) + (text.startsWith('----', start) ? 5 : 0)
    const changed = text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1)
    t.ok(runFile(path, changed).failures.length > 0, `${path}, byte ${at}`)
    if (path.includes('interaction')) changedScript = changed
  }
  const whole = await run(await suiteOf(t.testdir(), changedScript))
  t.match(whole, { code: 1, output: /[1-9]\d* failed/ })
})

t.test('what is expected is nowhere but in the scripts', { skip: missing }, async (t) => {
  for (const { path, text } of await outsideScripts()) {
    const commands = parseScript(text)
    const asked = commands.map(({ line, input }) => {
      const head = text.split('\n')[line - 1] as string
      return `${head}\n${input === '' ? '' : `${input}\n`}----\nnobody says\n`
    })
    const { passed, failures } = runFile(path, asked.join('\n'))
    t.equal(passed, 0)
    const answers = failures.map((failure) => failure.split('\nactual:\n')[1]?.trimEnd())
    t.same(
      answers,
      commands.map(({ expected }) => expected.trimEnd()),
      path,
    )
  }
})
