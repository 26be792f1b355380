import t from 'tap'
import { StartPace, startsAtOnceMax } from '../../../src/node/agent/start-pace.ts'
import type { Clock } from '../../../src/ports/clock.ts'

function world() {
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs } as Clock
  const pace = new StartPace(clock)
  const start = (tookMs: number, hasStarted = true): Promise<boolean> =>
    pace.pass(async () => {
      nowMs += tookMs
      return hasStarted
    })
  /** How many it lets through together. */
  const atOnce = async (): Promise<number> => {
    let inside = 0
    let end = (): void => undefined
    const ended = new Promise<void>((resolve) => (end = resolve))
    const all = Array.from({ length: 8 }, () =>
      pace.pass(async () => {
        inside += 1
        await ended
        return false
      }),
    )
    await new Promise((resolve) => setImmediate(resolve))
    const seen = inside
    end()
    await Promise.all(all)
    return seen
  }
  return { pace, start, atOnce }
}

t.test('slow starts halve the number, and as many quick ones raise it by one', async (t) => {
  const { start, atOnce } = world()
  t.equal(await atOnce(), startsAtOnceMax)
  await start(10_000)
  t.equal(await atOnce(), 2)
  await start(10_000)
  t.equal(await atOnce(), 1)
  await start(10_000)
  t.equal(await atOnce(), 1, 'never less')
  await start(6000)
  t.equal(await atOnce(), 1, 'neither slow nor quick')
  await start(1000)
  t.equal(await atOnce(), 2)
  await start(1000)
  t.equal(await atOnce(), 2)
  await start(1000)
  t.equal(await atOnce(), 3)
})

t.test(
  'what was called off, or not started, says nothing of how quick the engine is',
  async (t) => {
    const { pace, start, atOnce } = world()
    await start(10_000)
    await start(10_000)
    for (let n = 0; n < 10; n += 1) {
      await t.rejects(pace.pass(() => Promise.reject(new Error('called off'))))
      await start(0, false)
    }
    t.equal(await atOnce(), 1)
    await pace.pass(async () => true)
    t.equal(await atOnce(), 2)
  },
)
