import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { watchLoopDelay } from '../../src/platform/loop-delay.ts'

const stopMs = 100
/** Six are believed. On a busy machine two may count as one, so a window has some to spare. */
const stopsInWindow = 9
const windowsMax = 8

async function holdUp(): Promise<void> {
  for (let stop = 0; stop < stopsInWindow; stop += 1) {
    const untilMs = performance.now() + stopMs
    while (performance.now() < untilMs);
    await pause(20)
  }
}

t.test('a loop that is held up again and again says so', async (t) => {
  const delay = watchLoopDelay()
  await pause(50)
  let seenMs = 0
  for (let window = 0; window < windowsMax && seenMs < stopMs * 0.9; window += 1) {
    await holdUp()
    seenMs = delay.p999Ms()
  }
  delay.stop()
  t.ok(seenMs >= stopMs * 0.9, `${seenMs} ms`)
})
