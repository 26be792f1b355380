/**
 * Five machines of which the leader is killed, cut off and made to stand still, again and again,
 * while sixteen clients read and write on all of them: what they are told is what one store
 * would have told them.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { run } from '../../src/tools/rack/processes.ts'
import { staleRead } from '../history/examples.ts'
import { faultNames } from '../history/faults.ts'
import { checkHistory } from '../history/linearizable.ts'
import { lineOf, textOf } from '../history/operation.ts'
import { hostCount, runHistory } from '../history/run.ts'
import { stage } from './stage.ts'

t.setTimeout(400_000)

const seconds = 15
const clients = 16

const rack = await stage(t, { hosts: hostCount, cluster: {} })
const directory = await mkdtemp(path.join(tmpdir(), 'jangada-history-'))
t.teardown(() => rm(directory, { recursive: true, force: true }))

/** `npm run history -- --check`, as a person would have it. */
const check = (file: string) => {
  const main = path.join(import.meta.dirname, '../history/main.ts')
  return run([process.execPath, main, '--check', file])
}

await t.test(
  'a history with every fault in it is linearizable; one read altered, it is not',
  async (t) => {
    const seed = process.pid
    const say = (line: string) => t.comment(line)
    const options = { seconds, faults: faultNames, clients, seed, say }
    const { operations, leaders, faults, failures } = await runHistory(rack, options)
    t.comment(`seed ${seed}`, faults, Object.fromEntries(failures), Object.fromEntries(leaders))
    const ends = { isDone: 0, isRefused: 0, isUnknown: 0 }
    for (const { ok } of operations) {
      ends[ok === null ? 'isUnknown' : ok ? 'isDone' : 'isRefused'] += 1
    }
    t.comment(ends)
    for (const [end, times] of Object.entries(ends)) t.ok(times > 0, end)
    for (const name of faultNames) t.ok(faults[name] > 0, name)
    t.ok(leaders.size > 1, 'the lead moved')
    t.ok(new Set(operations.map(({ client }) => client)).size >= clients)

    const verdict = checkHistory(operations)
    t.equal(
      verdict.kind,
      'linearizable',
      verdict.kind === 'broken' ? lineOf(verdict.operation) : '',
    )
    const file = path.join(directory, 'history')
    await writeFile(file, textOf(operations))
    t.match(await check(file), { code: 0, stdout: /^linearizable/m })

    const { altered, line } = staleRead(operations)
    await writeFile(file, textOf(altered))
    t.match(
      await check(file),
      { code: 1, stdout: /^NOT linearizable/m },
      `line ${line} was altered`,
    )
  },
)
