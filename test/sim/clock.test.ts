/** Virtual time's own promises. */
import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { sleep } from '../../src/ports/clock.ts'
import { SimulatedClock, SimulatedTime } from './clock.ts'

/** The order in which ten events of one instant, and what they start, run under `seed`. */
async function history(seed: number): Promise<string> {
  const time = new SimulatedTime(new SeededRandom(seed))
  const seen: string[] = []
  for (let i = 0; i < 10; i += 1) {
    time.after(1, () => {
      seen.push(`${i}`)
      time.after(1, () => seen.push(`${i}'`))
    })
  }
  await time.runFor(10)
  return seen.join(' ')
}

t.test('one seed is one history, another seed another', async (t) => {
  t.equal(await history(1), await history(1))
  t.not(await history(1), await history(2))
})

t.test('all that follows from one event is over before the next', async (t) => {
  const time = new SimulatedTime(new SeededRandom(1))
  const seen: string[] = []
  const story = async (name: string): Promise<void> => {
    for (let i = 0; i < 100; i += 1) await Promise.resolve()
    seen.push(`${name} ends`)
  }
  for (const name of ['a', 'b']) {
    time.after(5, () => {
      seen.push(`${name} begins`)
      void story(name)
    })
  }
  await time.runFor(5)
  const [first, second] = seen[0] === 'a begins' ? ['a', 'b'] : ['b', 'a']
  t.same(seen, [`${first} begins`, `${first} ends`, `${second} begins`, `${second} ends`])
})

t.test('a thousand hours pass in no time, and the clock stands exactly there', async (t) => {
  const time = new SimulatedTime(new SeededRandom(1))
  const thousandHoursMs = 3_600_000_000
  await time.runFor(thousandHoursMs)
  t.equal(time.nowMs, thousandHoursMs)
})

t.test('waiting for what never happens ends at its limit', async (t) => {
  const time = new SimulatedTime(new SeededRandom(1))
  time.after(50, () => undefined)
  t.notOk(await time.runUntil(() => false, 20))
  t.equal(time.nowMs, 20)
  t.equal(time.pending, 1)
})

t.test('timers of a paused process wait, and its clock does not', async (t) => {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const clock = new SimulatedClock(time, random)
  const firedAtMs: number[] = []
  clock.after(10, () => firedAtMs.push(clock.monotonicMs()))
  const cancelled = clock.after(20, () => firedAtMs.push(-1))
  clock.pause()
  await time.runFor(1000)
  t.same(firedAtMs, [])
  cancelled.cancel()
  clock.resume()
  await time.runFor(1)
  t.same(firedAtMs, [1000])
})

t.test('a stopped process has no timers', async (t) => {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const clock = new SimulatedClock(time, random)
  let woken = false
  const wake = (): void => {
    woken = true
  }
  void sleep(clock, 10).then(wake)
  clock.stop()
  void sleep(clock, 10).then(wake)
  await time.runFor(100)
  t.notOk(woken)
})

t.test('clocks drift apart, and a step moves only the wall', async (t) => {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const fast = new SimulatedClock(time, random, { rate: 1.01 })
  const slow = new SimulatedClock(time, random, { rate: 0.99 })
  await time.runFor(100_000)
  t.equal(Math.round(fast.monotonicMs() - slow.monotonicMs()), 2000)
  const wallMs = fast.wallMs()
  fast.stepWall(-5000)
  t.equal(fast.wallMs(), wallMs - 5000)
  t.equal(Math.round(fast.monotonicMs()), 101_000)
})
