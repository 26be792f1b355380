import { createHash } from 'node:crypto'
import t from 'tap'
import { toHex } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { sha1 } from '../../src/base/sha1.ts'

t.test('the digest is what Node computes, at every length around a block', async (t) => {
  const random = new SeededRandom(1)
  for (let length = 0; length <= 200; length += 1) {
    const input = random.bytes(length)
    t.equal(toHex(sha1(input)), createHash('sha1').update(input).digest('hex'), `${length} bytes`)
  }
  const long = random.bytes(100_003)
  t.equal(toHex(sha1(long)), createHash('sha1').update(long).digest('hex'))
})
