/** A new leader over many leases: it takes them over a part at a time, and ends none meanwhile. */
import t from 'tap'
import { index, term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { LeaseDeadlines } from '../../../src/core/store/lease-deadlines.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { Command } from '../../../src/core/store/types.ts'
import type { ControllerContext } from '../../../src/node/controllers/context.ts'
import { LeaseKeeper } from '../../../src/node/controllers/leases.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { sinkLog } from '../../sim/quiet.ts'

const many = 20_000
const ttlMs = 1000
/** Each turn of the loop is that late: the leases' time is over before all are taken over. */
const turnMs = 200
const nth = (n: number): string => `l${String(n).padStart(5, '0')}`

/** Counts what a turn of the loop begins. */
let inThisTurn = 0
let mostInATurn = 0
const begin = Object.getOwnPropertyDescriptor(LeaseDeadlines.prototype, 'grant')!
  .value as LeaseDeadlines['grant']
LeaseDeadlines.prototype.grant = function grant(...args): void {
  inThisTurn += 1
  mostInATurn = Math.max(mostInATurn, inThisTurn)
  begin.apply(this, args)
}
t.teardown(() => {
  LeaseDeadlines.prototype.grant = begin
})

function newLeader() {
  const time = new SimulatedTime(new SeededRandom(1))
  const simulated = new SimulatedClock(time, new SeededRandom(2))
  const clock: Clock = {
    monotonicMs: () => simulated.monotonicMs(),
    wallMs: () => simulated.wallMs(),
    atTurnsEnd: (fire) => simulated.atTurnsEnd(fire),
    after: (delayMs, fire) =>
      simulated.after(delayMs + turnMs, () => {
        inThisTurn = 0
        fire()
      }),
  }
  const store = new Store()
  const revoked: string[] = []
  const seat: { keeper?: LeaseKeeper } = {}
  let at = 0
  const apply = (command: Command): void => {
    at += 1
    store.apply(command, { index: index(at), term: term(1) })
    seat.keeper?.applied(command)
  }
  for (let n = 0; n < many; n += 1) apply({ kind: 'leaseGrant', id: nth(n), ttlMs })
  const propose = async (command: Command): Promise<{ result: undefined }> => {
    if (command.kind === 'leaseRevoke') revoked.push(command.id)
    apply(command)
    return { result: undefined }
  }
  const member = { store, propose, barrier: () => Promise.resolve() }
  const context = { clock, store: { member }, log: sinkLog(() => undefined) }
  const office = { term: term(1), tookOfficeMs: 0, signal: new AbortController().signal }
  const keeper = new LeaseKeeper(context as unknown as ControllerContext, office)
  seat.keeper = keeper
  return { time, store, keeper, revoked, apply }
}

t.test('leases are taken over in parts, and none ends before all have their time', async (t) => {
  const { time, store, keeper, revoked, apply } = newLeader()
  await time.runFor(ttlMs + turnMs)
  t.ok(mostInATurn <= 1000, `${mostInATurn} in one turn`)
  t.same(revoked, [], 'the first have run out, and others may not be begun yet')
  t.equal(await keeper.keepAlive(nth(many - 1)), true, 'one whose turn is to come is kept alive')
  apply({ kind: 'leaseRevoke', id: nth(many - 2), term: undefined })
  t.equal(await keeper.keepAlive(nth(many - 2)), false, 'and one that was revoked is not')
  apply({ kind: 'leaseGrant', id: 'new', ttlMs: 1_000_000 })
  await time.runUntil(() => revoked.length > 0, 60_000)
  t.ok(time.nowMs > (many / 1000 - 1) * turnMs, `the first ends after ${time.nowMs} ms`)
  await time.runUntil(() => store.size.leases === 1, 600_000)
  t.equal(revoked.length, many - 1, 'in the end all that nobody kept are gone, each once')
  t.equal(new Set(revoked).size, many - 1)
  t.equal(await keeper.keepAlive('new'), true)
})
