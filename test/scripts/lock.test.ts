import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'

const lock = path.join(import.meta.dirname, '../../scripts/lib/lock.mjs')
const directory = mkdtempSync(path.join(tmpdir(), 'jangada-lock-'))
t.teardown(() => rmSync(directory, { recursive: true }))

/** Takes the lock, says so, and keeps it until its input ends. */
const program = `
import { oneAtATime } from ${JSON.stringify(lock)}
await oneAtATime(${JSON.stringify(directory)}, 'waits', async () => {
  console.log('works')
  await new Promise((resolve) => process.stdin.on('end', resolve).resume())
  console.log('is done')
})
`

function another() {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const says = async (line: string): Promise<void> => {
    while (!said.includes(line)) await once(child.stdout, 'data')
  }
  return { child, says, heard: () => said.trim().split('\n') }
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

t.test('who comes second says that it waits, and has its turn', async (t) => {
  const first = another()
  await first.says('works')
  const second = another()
  await second.says('waits')
  t.same(second.heard(), ['waits'], 'it has not begun')
  first.child.stdin.end()
  await ended(first.child)
  await second.says('works')
  second.child.stdin.end()
  await ended(second.child)
  t.same(second.heard(), ['waits', 'works', 'is done'])
})

t.test('who is killed keeps nobody out', async (t) => {
  const first = another()
  await first.says('works')
  first.child.kill('SIGKILL')
  const second = another()
  await second.says('works')
  second.child.stdin.end()
  await ended(second.child)
  t.equal(second.heard().at(-1), 'is done')
})
