import t from 'tap'
import { DelaySamples, DelayWindows, longestMax } from '../../src/base/delay-windows.ts'

const quiet = { count: 1000, longest: [4, 3, 2] }

t.test('one long delay a minute is no slow machine', async (t) => {
  const windows = new DelayWindows(12)
  for (let at = 0; at < 11; at += 1) windows.add(quiet)
  windows.add({ count: 1000, longest: [40, 3, 2] })
  t.equal(windows.p999(), 4)
})

t.test('twelve in twelve thousand are, whether they come together or not', async (t) => {
  const together = new DelayWindows(12)
  const apart = new DelayWindows(12)
  for (let at = 0; at < 11; at += 1) {
    together.add(quiet)
    apart.add({ count: 1000, longest: [20 + at, 3] })
  }
  together.add({ count: 1000, longest: Array.from({ length: 12 }, (_, at) => 40 - at) })
  apart.add({ count: 1000, longest: [19, 3] })
  t.equal(together.p999(), 29)
  t.equal(apart.p999(), 19)
})

t.test('what is older than the windows kept no longer counts', async (t) => {
  const windows = new DelayWindows(2)
  windows.add({ count: 1000, longest: [95, 94, 93, 92, 91, 90] })
  windows.add(quiet)
  t.equal(windows.p999(), 90)
  windows.add({ count: 1000, longest: [8, 7, 6, 5] })
  t.equal(windows.p999(), 3)
})

t.test('a young process is not judged by its first few', async (t) => {
  const windows = new DelayWindows(12)
  t.equal(windows.p999(), 0)
  windows.add({ count: 800, longest: [70, 60, 50, 40, 30, 5] })
  t.equal(windows.p999(), 5)
  windows.add({ count: 800, longest: [20, 4] })
  t.equal(windows.p999(), 20)
})

t.test('of the samples of a window the longest are kept', async (t) => {
  const samples = new DelaySamples()
  for (let n = 0; n < 100; n += 1) samples.add((n * 37) % 100)
  t.same(samples.take(), {
    count: 100,
    longest: Array.from({ length: longestMax }, (_, at) => 99 - at),
  })
  t.same(samples.take(), { count: 0, longest: [] }, 'the next begins anew')
})
