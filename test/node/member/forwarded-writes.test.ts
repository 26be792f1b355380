/** What one who forwards a write to the leader is told, whatever the leader's answer becomes. */
import { Packr } from 'msgpackr'
import t from 'tap'
import { memberId } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { encodeCommand } from '../../../src/core/store/command-codec.ts'
import type { Operation } from '../../../src/core/store/types.ts'
import { maxKeyLength, maxOperationsPerTransaction } from '../../../src/core/store/types.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import type { Member } from '../../../src/node/member/member.ts'
import { MemberStore } from '../../../src/node/member/member-store.ts'
import { RemoteStore } from '../../../src/node/member/remote-store.ts'
import { storeMethods } from '../../../src/node/member/store-service.ts'
import type { Door } from '../../../src/node/wire/door.ts'
import { maxFrameBytes } from '../../../src/node/wire/frames.ts'
import { get, Log, put, transaction } from '../../core/store/fixture.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { seededEntropy } from '../../sim/entropy.ts'

const nothing = { compare: [], then: [], otherwise: [] }

function fixture() {
  const time = new SimulatedTime(new SeededRandom(1))
  const clock = new SimulatedClock(time, new SeededRandom(2))
  const entropy = seededEntropy(new SeededRandom(3))
  return { time, clock, entropy }
}

t.test('the longest answer of a transaction fits a frame', async (t) => {
  const packr = new Packr({ useRecords: false })
  const bytesOf = (log: Log): number => {
    const gets = Array.from({ length: maxOperationsPerTransaction }, () => get('\0', '\uffff'))
    return packr.pack([1, log.apply(transaction(gets)).result]).length
  }
  const small = new Log()
  for (let from = 0; from < 100; from += 1) {
    small.write(...Array.from({ length: 512 }, (_, i): Operation => put(`${from}.${i}`, '')))
  }
  t.ok(bytesOf(small) < maxFrameBytes, 'rows of small keys')
  // Three bytes a unit, the most there can be.
  const long = new Log()
  for (let n = 0; n < 1000; n += 1) {
    long.write(put('\u20ac'.repeat(maxKeyLength - 4) + String(n).padStart(4, '0'), ''))
  }
  t.ok(bytesOf(long) < maxFrameBytes, 'rows of the longest keys')
})

t.test('a write that fails without a code after it was handed to the log is unknown', async (t) => {
  const { clock } = fixture()
  const ask = (error: Error): Promise<unknown> => {
    const proposeHere = async (): Promise<never> => {
      throw error
    }
    const own = { proposeHere } as unknown as MemberStore
    const command = encodeCommand(transaction([put('a')]))
    const propose = storeMethods(() => own, clock).calls.get('store.propose')
    return propose!({ command }, { peer: {} as never })
  }
  await t.rejects(ask(new Error('a broken invariant')), { code: 'JGD_OUTCOME_UNKNOWN' })
  await t.rejects(ask(new JangadaError('JGD_NOT_LEADER', 'not here')), { code: 'JGD_NOT_LEADER' })
})

t.test('a leader that failed without saying how may have written', async (t) => {
  const { clock, entropy } = fixture()
  const address = { host: '10.0.0.2', port: 7382 }
  const call = async (): Promise<never> => {
    throw new JangadaError('JGD_INTERNAL', 'no answer')
  }
  const door = (): Door => ({ callsTo: async () => ({ call }) }) as unknown as Door
  const remote = new RemoteStore({ door, clock, entropy, peers: () => [address] })
  await t.rejects(remote.transact(nothing), { code: 'JGD_OUTCOME_UNKNOWN' }, 'to a client')
  await t.rejects(remote.range({ key: 'a' }, 'local'), { code: 'JGD_INTERNAL' }, 'a read is none')

  const leadership = { role: 'follower', term: 1, leader: memberId(2) }
  const member = { id: memberId(1), leadership } as unknown as Member
  const own = new MemberStore({ member, door, clock, entropy, keeper: () => undefined })
  own.addressOf = () => address
  await t.rejects(own.transact(nothing), { code: 'JGD_OUTCOME_UNKNOWN' }, 'to a member')
})
