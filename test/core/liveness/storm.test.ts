import t from 'tap'
import { isStorm, Rate, stormMs, wasStorm } from '../../../src/core/liveness/storm.ts'

t.test('two machines are no storm, nor a fifth of many, nor what was lost long ago', async (t) => {
  const at = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms)
  t.notOk(isStorm(at(2, 1000), 3, 1000))
  t.ok(isStorm(at(3, 1000), 5, 1000))
  t.notOk(isStorm(at(20, 1000), 100, 1000))
  t.ok(isStorm(at(21, 1000), 100, 1000))
  t.notOk(isStorm(at(21, 1000), 100, 1000 + stormMs))
  t.notOk(isStorm([...at(20, 1000), ...at(20, -stormMs)], 100, 1000))
  t.notOk(isStorm(at(21, 86_401_000), 100, 1000), 'nor by a clock that was a day ahead')
})

t.test('a storm of long ago was one; losses over days were none', async (t) => {
  const every = (ms: number, count: number): number[] =>
    Array.from({ length: count }, (_, n) => n * ms)
  t.ok(wasStorm(every(1000, 3), 5))
  t.notOk(wasStorm(every(1000, 2), 5))
  t.notOk(wasStorm(every(stormMs, 30), 30))
  t.ok(
    wasStorm([...every(stormMs, 5), ...every(1, 3).map((ms) => ms + 10 * stormMs)].toReversed(), 9),
  )
  t.notOk(wasStorm([], 0))
})

t.test('so many a second, and never more at once than in a second', async (t) => {
  const rate = new Rate(10, 0)
  t.equal(rate.allowance(10, 0), 10)
  rate.took(10)
  t.equal(rate.allowance(10, 0), 0)
  t.equal(rate.waitMs(10), 100)
  t.equal(rate.allowance(10, 99), 0)
  t.equal(rate.allowance(10, 100), 1)
  t.equal(rate.allowance(10, 60_000), 10, 'what was not used is not saved up')
  t.equal(rate.allowance(10, 50_000), 10, 'a clock that is set back takes nothing away')
})

t.test('one in two seconds is one at a time', async (t) => {
  const rate = new Rate(0.5, 0)
  t.equal(rate.allowance(0.5, 0), 1)
  rate.took(1)
  t.equal(rate.waitMs(0.5), 2000)
  t.equal(rate.allowance(0.5, 1999), 0)
  t.equal(rate.allowance(0.5, 2000), 1)
})
