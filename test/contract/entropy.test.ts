import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { kernelEntropy } from '../../src/platform/entropy.ts'
import { seededEntropy } from '../sim/entropy.ts'
import { entropyContract } from './entropy.ts'

t.test("the kernel's entropy", (t) => entropyContract(t, kernelEntropy()))
t.test("the seed's entropy", (t) => entropyContract(t, seededEntropy(new SeededRandom(3))))

t.test('one seed gives one sequence', (t) => {
  const draw = (seed: number): Uint8Array => seededEntropy(new SeededRandom(seed)).bytes(32)
  t.same(draw(5), draw(5))
  t.notSame(draw(5), draw(6))
  t.end()
})
