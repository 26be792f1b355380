import t from 'tap'
import { isSilent, leftSilentMs } from '../../../src/core/liveness/left.ts'

t.test('one that has left is silent when a leader has listened for long enough', async (t) => {
  const silent = (heardAtMs: number | undefined, nowMs: number): boolean | undefined =>
    isSilent({ heardAtMs, tookOfficeMs: 1000, nowMs })
  t.equal(silent(1500, 2000), false)
  t.equal(silent(undefined, 2000), undefined, 'a new leader has only not heard it yet')
  t.equal(silent(-leftSilentMs, 2000), undefined)
  t.equal(silent(undefined, 1000 + leftSilentMs), true)
  t.equal(silent(1500, 1500 + leftSilentMs), true)
  t.equal(silent(60_000, 60_001), false, 'it was switched on again')
})
