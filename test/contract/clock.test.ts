import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'
import { clockContract } from './clock.ts'

t.test("the machine's clock", (t) => {
  clockContract(t, () => ({ clock: systemClock(), run: (promise) => promise }))
})

for (const [title, options] of [
  ['the simulated clock', {}],
  [
    'a simulated clock that runs 1 % fast, on a busy machine',
    { rate: 1.01, timerLatenessMsMax: 2 },
  ],
  ['a simulated clock that runs 1 % slow', { rate: 0.99 }],
] as const) {
  t.test(title, (t) => {
    const random = new SeededRandom(7)
    const time = new SimulatedTime(random)
    const hourMs = 3_600_000
    clockContract(t, () => ({
      clock: new SimulatedClock(time, random, options),
      run: (promise) => time.runUntilSettled(promise, 2 * hourMs),
    }))
  })
}
