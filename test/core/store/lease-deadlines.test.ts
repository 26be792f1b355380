import t from 'tap'
import fc from 'fast-check'
import { LeaseDeadlines } from '../../../src/core/store/lease-deadlines.ts'

t.test('a lease runs out unless it is kept alive', async (t) => {
  const deadlines = new LeaseDeadlines()
  deadlines.grant('short', 100, 0)
  deadlines.grant('long', 1000, 0)
  t.equal(deadlines.nextWakeMs(), 100)
  t.same(deadlines.expired(99, 10), [])
  t.ok(deadlines.keepAlive('short', 99))
  t.same(deadlines.expired(198, 10), [])
  t.same(deadlines.expired(199, 10), ['short'])
  t.notOk(deadlines.keepAlive('short', 199), 'too late is too late')
  t.same(deadlines.expired(300, 10), ['short'], 'told again until it is revoked')
  deadlines.forget('short')
  t.same(deadlines.expired(999, 10), [])
  t.notOk(deadlines.keepAlive('nobody', 1))
})

t.test('no more than asked for at once', async (t) => {
  const deadlines = new LeaseDeadlines()
  for (let at = 0; at < 50; at += 1) deadlines.grant(`l${at}`, 1 + at, 0)
  const first = deadlines.expired(100, 20)
  t.equal(first.length, 20)
  for (const id of first) deadlines.forget(id)
  t.equal(deadlines.expired(100, 100).length, 30)
})

t.test('it tells what a plain table would', async () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.record({
    id,
    what: fc.constantFrom('grant', 'keep', 'forget', 'ask'),
    ms: fc.nat(50),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const deadlines = new LeaseDeadlines()
      const table = new Map<string, number>()
      let nowMs = 0
      for (const { id: one, what, ms } of steps) {
        nowMs += ms
        const runsOut = table.get(one)
        if (what === 'grant' && runsOut === undefined) {
          deadlines.grant(one, 60, nowMs)
          table.set(one, nowMs + 60)
        } else if (what === 'keep') {
          const alive = runsOut !== undefined && runsOut > nowMs
          if (deadlines.keepAlive(one, nowMs) !== alive) return false
          if (alive) table.set(one, nowMs + 60)
        } else if (what === 'forget') {
          deadlines.forget(one)
          table.delete(one)
        }
        const expected = [...table].filter(([, at]) => at <= nowMs).map(([name]) => name)
        const told = deadlines.expired(nowMs, 10)
        if (told.toSorted().join() !== expected.toSorted().join()) return false
      }
      return true
    }),
  )
})

t.test(
  'a lease that is ended early is told until it is forgotten, and not kept alive',
  async (t) => {
    const deadlines = new LeaseDeadlines()
    deadlines.grant('a', 1000, 0)
    deadlines.grant('b', 1000, 0)
    deadlines.end('a', 10)
    deadlines.end('a', 20)
    deadlines.end('unheard of', 20)
    t.equal(deadlines.nextWakeMs(), 10)
    t.same(deadlines.expired(20, 9), ['a', 'unheard of'])
    t.same(deadlines.expired(20, 9).toSorted(), ['a', 'unheard of'], 'again, each once')
    t.notOk(deadlines.keepAlive('a', 20))
    t.ok(deadlines.keepAlive('b', 20))
    deadlines.forget('a')
    deadlines.forget('unheard of')
    t.same(deadlines.expired(1019, 9), [])
    t.same(deadlines.expired(1020, 9), ['b'])
  },
)

t.test('leases that end long before their time leave nothing waiting', async (t) => {
  const deadlines = new LeaseDeadlines()
  deadlines.grant('kept', 1_000_000, 0)
  for (let n = 0; n < 10_000; n += 1) {
    deadlines.grant(`${n}`, 10, 0)
    deadlines.forget(`${n}`)
  }
  t.ok((deadlines.nextWakeMs() ?? 0) >= 10)
  t.ok(deadlines.waiting < 200, `${deadlines.waiting} wait`)
  t.same(deadlines.expired(1_000_000, 10), ['kept'])
})
