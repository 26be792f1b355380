import t from 'tap'
import { JangadaError } from '../../../src/base/errors.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { joinWithNonce } from '../../../src/node/enrol/join.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { simulatedCrypto } from '../../sim/crypto.ts'
import { seededEntropy } from '../../sim/entropy.ts'

const doors = ['gone', 'away', 'here'].map((host) => ({ host, port: 7381 }))
const facts = {} as Parameters<typeof joinWithNonce>[2]['facts']

/** When which door was asked, in milliseconds, until `answers` lets one refuse for good. */
async function asked(answers: (host: string, times: number) => boolean) {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const clock = new SimulatedClock(time, random)
  const crypto = simulatedCrypto(random)
  const seen: { host: string; atMs: number }[] = []
  const https = {
    request: async ({ host }: { readonly host: string }) => {
      seen.push({ host, atMs: clock.monotonicMs() })
      const isRefused = answers(host, seen.length)
      throw new JangadaError(isRefused ? 'JGD_PIN_MISMATCH' : 'JGD_UNREACHABLE', host)
    },
  }
  const deps = { https, crypto, clock, entropy: seededEntropy(random) }
  const key = await crypto.generateKey()
  const joining = joinWithNonce(deps, { nonce: 'n', pin: 'p' }, { doors, key, facts })
  const outcome = await time.runUntilSettled(
    joining.catch((error: unknown) => error),
    60_000,
  )
  return { seen, outcome: outcome as JangadaError }
}

t.test('whoever is away costs no wait while there is another to ask', async (t) => {
  const { seen, outcome } = await asked((host) => host === 'here')
  t.equal(outcome.code, 'JGD_PIN_MISMATCH')
  t.same(
    seen.map(({ host }) => host),
    ['gone', 'away', 'here'],
  )
  t.ok(seen.at(-1)!.atMs < 100, `${seen.at(-1)!.atMs} ms`)
})

t.test('when nobody answers, the wait doubles from round to round', async (t) => {
  const { seen } = await asked((_, times) => times === 9)
  const rounds = [0, 3, 6].map((at) => seen[at]!.atMs)
  t.ok(rounds[1]! >= 500 && rounds[1]! < 700, `${rounds[1]} ms`)
  t.ok(rounds[2]! - rounds[1]! >= 1000 && rounds[2]! - rounds[1]! < 1300, `${rounds[2]} ms`)
})
