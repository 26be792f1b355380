/** A machine that is no member, and two members of which one is behind. */
import t from 'tap'
import { JangadaError } from '../../../src/base/errors.ts'
import { revision } from '../../../src/base/ids.ts'
import { RemoteStore } from '../../../src/node/member/remote-store.ts'
import type { Door } from '../../../src/node/wire/door.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { kernelEntropy } from '../../../src/platform/entropy.ts'

t.test('who has written reads no older answer, whichever member is asked next', async (t) => {
  const asked: unknown[] = []
  let isLeaderGone = false
  const call = (host: string) => async (_method: string, body: unknown) => {
    if (host === 'leader') {
      if (isLeaderGone) throw new JangadaError('JGD_UNREACHABLE', 'it went away')
      return { kind: 'transaction', succeeded: true, revision: revision(2), results: [] }
    }
    asked.push(body)
    const { atLeast } = body as { atLeast: number }
    if (atLeast > 1) throw new JangadaError('JGD_NOT_LEADER', 'this member is behind')
    return { items: [], more: false, revision: revision(1) }
  }
  const door = {
    callsTo: async ({ host }: { host: string }) => ({ call: call(host) }),
  } as unknown as Door
  const store = new RemoteStore({
    door: () => door,
    clock: systemClock(),
    entropy: kernelEntropy(),
    peers: () => ['leader', 'follower'].map((host) => ({ host, port: 7382 })),
  })
  await store.transact({ compare: [], then: [], otherwise: [] })
  isLeaderGone = true
  await t.rejects(store.range({ key: 'a' }, 'local'), { code: 'JGD_UNREACHABLE' })
  t.match(asked[0], { atLeast: 2 }, 'the member is told how far it must be')
})
