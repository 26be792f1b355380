import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { watchLoopDelay } from '../../src/platform/loop-delay.ts'

t.test('a loop that is held up says so', async (t) => {
  const delay = watchLoopDelay()
  await pause(50)
  for (let stop = 0; stop < 6; stop += 1) {
    const untilMs = performance.now() + 100
    while (performance.now() < untilMs);
    await pause(20)
  }
  const seen = delay.p999Ms()
  delay.stop()
  t.ok(seen >= 90, `${seen} ms`)
})
