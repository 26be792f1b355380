/** Who is let into a store that is nearly full: small figures, so that each line can be counted. */
import t from 'tap'
import { term } from '../../../src/base/ids.ts'
import {
  isAdmitted,
  keyOverheadBytes,
  reserveOf,
  usedBytes,
} from '../../../src/core/store/quota.ts'
import type { Command, Operation } from '../../../src/core/store/types.ts'
import { compact, del, grant, Log, put, revoke, transaction } from './fixture.ts'

/** The reserve is an eighth: users have 70,000 bytes of it. */
const quotaBytes = 80_000
const systemPrefix = '/sys/'

function ask(log: Log, command: Command | readonly Operation[]): boolean {
  const asked = 'kind' in command ? command : transaction(command)
  return isAdmitted({ store: log.store, command: asked, quotaBytes, systemPrefix })
}
const value = (bytes: number): string => 'x'.repeat(bytes)

t.test(
  'what is used grows and shrinks with the live keys, and history is not counted',
  async (t) => {
    const log = new Log()
    t.equal(usedBytes(log.store), 0)
    log.write(put('ab', value(10)))
    t.equal(usedBytes(log.store), 12 + keyOverheadBytes)
    for (let n = 0; n < 100; n += 1) log.write(put('ab', value(10)))
    t.equal(usedBytes(log.store), 12 + keyOverheadBytes)
    log.apply(grant('l'))
    t.ok(usedBytes(log.store) > 12 + keyOverheadBytes, 'a lease takes room')
    log.apply(revoke('l'))
    log.write(del('ab'))
    t.equal(usedBytes(log.store), 0)
  },
)

t.test('users fill all but the reserve, and the system goes on', async (t) => {
  const log = new Log()
  t.equal(reserveOf(quotaBytes), 10_000)
  log.write(put('a', value(69_000)))
  t.ok(ask(log, [put('b', value(400))]))
  t.notOk(ask(log, [put('b', value(600))]), 'beyond what users may use')
  t.notOk(ask(log, [put('b', value(400)), put('c', value(400))]), 'both together')
  t.notOk(ask(log, [put('/sys/x', ''), put('b', value(600))]), 'users’ keys decide')
  t.ok(ask(log, [put('/sys/x', value(9000))]), 'the reserve is for the system')
  t.notOk(ask(log, [put('/sys/x', value(10_500))]), 'and has an end')
  const guarded = transaction([put('/sys/x', value(70_000))])
  if (guarded.kind !== 'transaction') throw new Error('a transaction')
  const own = { ...guarded, transaction: { ...guarded.transaction, term: term(3) } }
  t.ok(ask(log, own), 'the leader’s own decisions are let in')
})

t.test('in a full store: what frees room or needs none always goes', async (t) => {
  const log = new Log()
  log.write(put('a', value(75_000)), put('k', 'old'))
  t.ok(ask(log, [del('a')]))
  t.ok(ask(log, [del('a', 'z')]))
  t.ok(ask(log, [put('k', 'new')]), 'over a value as long')
  t.notOk(ask(log, [put('k', 'longer')]))
  t.ok(ask(log, [put('a', value(70_000)), put('new', value(100))]), 'less in all')
  t.ok(ask(log, compact(0)))
  t.ok(ask(log, revoke('l')))
  t.notOk(ask(log, grant('l')))
  log.write(put('/sys/y', value(10_000)))
  t.ok(ask(log, [put('/sys/event', value(2000))]), 'even beyond the quota, what is small')
  t.notOk(ask(log, [put('/sys/unit', value(20_000))]))
})

t.test('a transaction is judged by the branch that needs more', async (t) => {
  const log = new Log()
  log.write(put('a', value(69_500)))
  t.notOk(ask(log, transaction([], [], [put('b', value(1000))])))
  t.notOk(ask(log, transaction([put('b', value(1000))], [], [del('a')])))
  t.ok(ask(log, transaction([del('a')], [], [del('b')])))
})

t.test('a key deleted many times over makes its room once', async (t) => {
  const log = new Log()
  log.write(put('full', value(60_000)))
  log.write(put('small', value(9000)))
  const many = Array.from({ length: 5 }, () => del('small'))
  t.notOk(ask(log, [put('new', value(40_000)), ...many]))
  t.ok(ask(log, [put('new', value(5000)), ...many]))
})
