/** What every side of `ports/Entropy` must do. */
import type { Test } from 'tap'
import { toHex } from '../../src/base/bytes.ts'
import type { Entropy } from '../../src/ports/entropy.ts'

export function entropyContract(t: Test, entropy: Entropy): void {
  t.test('bytes come in the length asked for, and do not repeat', (t) => {
    for (const length of [0, 1, 16, 1000]) t.equal(entropy.bytes(length).length, length)
    const seen = new Set(Array.from({ length: 1000 }, () => toHex(entropy.bytes(16))))
    t.equal(seen.size, 1000)
    t.end()
  })

  t.test('bytes are the caller’s own', (t) => {
    const first = entropy.bytes(32)
    const before = toHex(first)
    entropy.bytes(32).fill(0)
    t.equal(toHex(first), before)
    t.equal(first.buffer.byteLength, 32, 'no pool shows behind them')
    t.end()
  })

  t.test('integers reach both bounds and nothing beyond', (t) => {
    const seen = new Set(Array.from({ length: 1000 }, () => entropy.integer(-2, 3)))
    t.same(
      [...seen].toSorted((a, b) => a - b),
      [-2, -1, 0, 1, 2, 3],
    )
    t.equal(entropy.integer(5, 5), 5)
    t.end()
  })

  t.test('wide ranges are used in full', (t) => {
    const max = 2 ** 40
    const drawn = Array.from({ length: 200 }, () => entropy.integer(0, max))
    t.ok(drawn.every((value) => Number.isSafeInteger(value) && value >= 0 && value <= max))
    t.ok(Math.max(...drawn) > max / 2, 'the upper half')
    t.ok(Math.min(...drawn) < max / 2, 'the lower half')
    t.end()
  })

  t.test('an empty range is our bug', (t) => {
    t.throws(() => entropy.integer(2, 1), { name: 'AssertionError' })
    t.end()
  })
  t.end()
}
