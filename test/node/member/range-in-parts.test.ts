/** A range over many keys that are not in its answer: the loop sees to others between its parts. */
import t from 'tap'
import { revision } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import type { RangeRequest } from '../../../src/core/store/types.ts'
import { maxKeysLookedAt } from '../../../src/core/store/types.ts'
import type { Member } from '../../../src/node/member/member.ts'
import { MemberStore } from '../../../src/node/member/member-store.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { compact, Log, put } from '../../core/store/fixture.ts'
import { countKeysPassed } from '../../core/store/keys-passed.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { seededEntropy } from '../../sim/entropy.ts'

/** One key before and one behind so many that are written after both. */
function largeStore() {
  const log = new Log()
  log.write(put('a'), put('z'))
  for (let n = 0; n < 150; n += 1) {
    log.write(...Array.from({ length: 500 }, (_, i) => put(`k${n}.${i}`, '')))
  }
  return log
}

function member(t: { teardown: (end: () => void) => void }, log: Log) {
  const time = new SimulatedTime(new SeededRandom(1))
  const simulated = new SimulatedClock(time, new SeededRandom(2))
  const turns: number[] = []
  const betweenTurns: (() => void)[] = []
  const count = countKeysPassed()
  t.teardown(count.stop)
  const clock: Clock = {
    monotonicMs: () => simulated.monotonicMs(),
    wallMs: () => simulated.wallMs(),
    atTurnsEnd: (fire) => simulated.atTurnsEnd(fire),
    after: (delayMs, fire) =>
      simulated.after(delayMs, () => {
        turns.push(count.passed)
        betweenTurns.shift()?.()
        count.passed = 0
        fire()
      }),
  }
  const store = new MemberStore({
    member: { store: log.store } as unknown as Member,
    door: () => {
      throw new Error('nobody else is asked')
    },
    clock,
    entropy: seededEntropy(new SeededRandom(3)),
    keeper: () => undefined,
  })
  const ask = (request: RangeRequest) => time.runUntilSettled(store.range(request, 'local'), 10_000)
  return { ask, turns, betweenTurns }
}

t.test('an old range over keys that came later is answered whole, part by part', async (t) => {
  const log = largeStore()
  const { ask, turns, betweenTurns } = member(t, log)
  betweenTurns.push(() => log.write(put('b', 'between two parts')))
  const at = log.store.revision
  const told = await ask({ key: 'a', rangeEnd: 'zz', revision: revision(1) })
  t.match(told, { revision: at, more: false, items: [{ key: 'a' }, { key: 'z' }] })
  t.equal(told.items.length, 2)
  t.ok(turns.length >= 3, `${turns.length} turns`)
  for (const passed of turns) t.ok(passed <= maxKeysLookedAt + 1, `${passed} keys in a turn`)
})

t.test('a range of now is of one moment, though writes go on between its parts', async (t) => {
  const log = largeStore()
  const { ask, betweenTurns } = member(t, log)
  const at = log.store.revision
  betweenTurns.push(() => log.write(put('y', 'too late'), put('z', 'too late')))
  const told = await ask({ key: 'k', rangeEnd: 'zz', keysOnly: true })
  t.equal(told.revision, at)
  const whole = log.store.range({ key: 'k', rangeEnd: 'zz', keysOnly: true, revision: at })
  t.same(whole, { kind: 'range', result: { ...told, revision: log.store.revision } })
  t.ok(told.items.length > maxKeysLookedAt, 'it took more than one part')
  const rest = await ask({ key: told.items.at(-1)!.key, rangeEnd: 'zz', limit: 3, revision: at })
  t.equal(rest.items.length, 3)
})

t.test('what is forgotten between two parts: the past is gone, and now is read anew', async (t) => {
  const log = largeStore()
  const { ask, betweenTurns } = member(t, log)
  const forget = (): void => {
    log.write(put('a', 'later'))
    log.apply(compact(log.store.revision))
  }
  betweenTurns.push(forget)
  const told = await ask({ key: 'a', rangeEnd: 'zz', keysOnly: true })
  t.match(told, { revision: log.store.revision, items: [{ key: 'a', version: 2 }] })
  const { revision: at } = log.store
  log.write(put('k', 'something new'))
  betweenTurns.push(forget)
  const past = ask({ key: 'a', rangeEnd: 'zz', keysOnly: true, revision: at })
  await t.rejects(past, { code: 'JGD_COMPACTED' })
  const future = ask({ key: 'a', revision: revision(log.store.revision + 1) })
  await t.rejects(future, { code: 'JGD_FUTURE_REVISION' })
})
