import t from 'tap'
import { SeededRandom } from '../../src/base/random.ts'
import { nodeCrypto } from '../../src/platform/crypto.ts'
import { simulatedCrypto } from '../sim/crypto.ts'
import { cryptoContract } from './crypto.ts'

t.test('node:crypto', async (t) => cryptoContract(t, () => nodeCrypto()))
t.test('simulated', async (t) => cryptoContract(t, () => simulatedCrypto(new SeededRandom(7))))
