import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { maxLeases } from '../../../src/core/store/quota.ts'
import { QuotaGate } from '../../../src/node/member/quota-gate.ts'
import { grant, Log, put, revoke, transaction } from '../../core/store/fixture.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'

t.test('there are so many leases at most, and whoever wants one more is told', async (t) => {
  const time = new SimulatedTime(new SeededRandom(1))
  const log = new Log()
  const gate = new QuotaGate(() => log.store, new SimulatedClock(time, new SeededRandom(2)))
  for (let n = 1; n < maxLeases; n += 1) log.apply(grant(`l${n}`))
  gate.check(grant('last'))
  log.apply(grant('last'))
  t.throws(() => gate.check(grant('more')), { code: 'JGD_TOO_MANY', hint: /one lease/ })
  t.equal(gate.refusedForMs, undefined, 'the store is not full')
  gate.check(transaction([put('a', 'x', 'last')]))
  gate.check(revoke('l1'))
  log.apply(revoke('l1'))
  gate.check(grant('more'))
})
