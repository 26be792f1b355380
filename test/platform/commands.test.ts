import t from 'tap'
import { hasProgram, runCommand } from '../../src/platform/commands.ts'

const timeoutMs = 20_000
const failed = (message: RegExp) => ({ code: 'JGD_COMMAND_FAILED', message })

t.test('a program gets arguments, input and environment, and its output comes back', async (t) => {
  const script = 'printf "%s|%s|" "$1" "$WORD"; cat'
  const args = ['-c', script, 'sh', 'two words; and more']
  const output = await runCommand('sh', args, { timeoutMs, env: { WORD: 'w' }, input: 'in' })
  t.equal(output, 'two words; and more|w|in')
  t.equal(await hasProgram('sh'), true)
  t.equal(await hasProgram('no-such-program'), false)
})

t.test('a failure says what the program said last', async (t) => {
  const script = 'seq 1 100; echo no room left >&2; exit 3'
  const run = runCommand('sh', ['-c', script], { timeoutMs })
  await t.rejects(run, failed(/^sh ended with 3:\nno room left$/))
  await t.rejects(runCommand('no-such-program', [], { timeoutMs }), failed(/could not run/))
  await t.rejects(runCommand('sleep', ['60'], { timeoutMs: 20 }), failed(/SIGTERM/))
})
