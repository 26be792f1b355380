import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { StallWatch } from '../../../src/node/controllers/stall-watch.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'

function standFor(ms: number) {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const clock = new SimulatedClock(time, random)
  const stop = new AbortController()
  const watch = new StallWatch(clock, stop.signal)
  const stand = async (): Promise<void> => {
    await time.runFor(1000)
    clock.pause()
    await time.runFor(ms)
    clock.resume()
  }
  return { time, clock, watch, stand, stop }
}

t.test('after a stall nothing is sure for as long again', async (t) => {
  const { time, watch, stand, stop } = standFor(1200)
  t.equal(watch.doubtfulForMs(5000), 0)
  await stand()
  const doubtfulMs = watch.doubtfulForMs(5000)
  t.ok(doubtfulMs > 1000 && doubtfulMs <= 1200, `asked before any timer of its own: ${doubtfulMs}`)
  t.equal(watch.doubtfulForMs(400), 400, 'at most so long')
  await time.runFor(500)
  t.equal(watch.doubtfulForMs(400), 0)
  t.equal(watch.doubtfulForMs(5000), doubtfulMs - 500)
  await time.runFor(1000)
  t.equal(watch.doubtfulForMs(5000), 0)
  stop.abort()
})

t.test('who stands still again and again is not in doubt for ever', async (t) => {
  const { time, clock, watch, stop } = standFor(0)
  let doubtfulMs = 1
  let rounds = 0
  for (; rounds < 100 && doubtfulMs > 0; rounds += 1) {
    clock.pause()
    await time.runFor(450)
    clock.resume()
    await time.runFor(250)
    doubtfulMs = watch.doubtfulForMs(1750)
  }
  t.equal(doubtfulMs, 0)
  t.ok(rounds > 3 && rounds < 15, `${rounds} rounds`)
  clock.pause()
  await time.runFor(3000)
  clock.resume()
  t.ok(watch.doubtfulForMs(1750) > 1600, 'a long stall is another matter')
  stop.abort()
})

t.test('a loop that is a little late stands not still', async (t) => {
  const { watch, stand, stop } = standFor(200)
  await stand()
  t.equal(watch.doubtfulForMs(5000), 0)
  stop.abort()
})
