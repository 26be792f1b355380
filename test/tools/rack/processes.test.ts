import t from 'tap'
import { must } from '../../../src/tools/rack/processes.ts'

t.test('why a program did not end well is said in words', async (t) => {
  const failing = (script: string, timeoutMs?: number) =>
    must(['sh', '-c', script], timeoutMs === undefined ? {} : { timeoutMs })
  await t.rejects(failing('echo no room >&2; exit 3'), { code: 'JGD_RACK', message: /: no room$/ })
  await t.rejects(failing('exit 3'), { message: /: exit code 3$/ })
  await t.rejects(failing('exec sleep 60', 100), { message: /not ended in the time it was given$/ })
  const late = failing('echo so far; exec sleep 60', 1000)
  await t.rejects(late, { message: /not ended in the time it was given: so far$/ })
})
