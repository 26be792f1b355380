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
  return { time, watch, stand, stop }
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

t.test('a loop that is a little late stands not still', async (t) => {
  const { watch, stand, stop } = standFor(200)
  await stand()
  t.equal(watch.doubtfulForMs(5000), 0)
  stop.abort()
})
