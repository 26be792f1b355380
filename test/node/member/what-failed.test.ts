/** What a member's end says of its log: only what a disk did costs it. */
import t from 'tap'
import { AssertionError } from '../../../src/base/assert.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { index, memberId, term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { configOfVoters } from '../../../src/core/raft/config.ts'
import { emptyRestoredState } from '../../../src/core/raft/raft.ts'
import type { Message, Session } from '../../../src/core/raft/types.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { MemberLog } from '../../../src/node/member/member-log.ts'
import { Member } from '../../../src/node/member/member.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { seededEntropy } from '../../sim/entropy.ts'
import { sinkLog } from '../../sim/quiet.ts'

const [self, other] = [memberId(1), memberId(2)] as const
const snapshot = { index: index(9), term: term(1), config: configOfVoters(self, other) }
const installing: Message = {
  kind: 'snapshot',
  ...{ from: other, to: self, term: term(1), session: 1 as Session, snapshot },
}

/** How a member ends that is sent a snapshot, on such a log. */
async function ending(log: Partial<MemberLog>): Promise<readonly [reason: string, what: string]> {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const ends: (readonly [string, string])[] = []
  const unused = (): never => {
    throw new Error('not meant here')
  }
  const member = new Member({
    id: self,
    restored: emptyRestoredState,
    store: new Store(),
    log: {
      append: () => Promise.resolve(),
      writeSnapshot: unused,
      readSnapshot: unused,
      restored: () => Promise.resolve(),
      receiveSnapshot: unused,
      close: () => Promise.resolve(),
      ...log,
    },
    clock: new SimulatedClock(time, random.fork()),
    entropy: seededEntropy(random.fork()),
    logger: sinkLog(() => undefined),
    send: () => undefined,
    sendSnapshot: unused,
    onLeadership: () => undefined,
    onCommand: () => undefined,
    onFatal: (reason, what) => void ends.push([reason, what]),
  })
  member.receive([installing])
  await time.runFor(10)
  t.equal(ends.length, 1, 'it ends, once')
  return ends[0] ?? ['', '']
}

const refuses = (error: Error): Partial<MemberLog> => ({
  append: async () => {
    throw error
  },
})

t.test('an append that the disk did not take', async (t) => {
  const failed = new JangadaError('JGD_DISK_FAILED', 'the disk failed', { hint: 'kernel log' })
  t.match(await ending(refuses(failed)), [/the disk failed.*; kernel log/, 'log'])
  for (const code of ['JGD_DISK_FULL', 'JGD_DISK_READ_ONLY', 'JGD_DISK_REFUSED'] as const) {
    t.match(await ending(refuses(new JangadaError(code, 'not now'))), [/not now/, 'passing'])
  }
})

t.test('an append that our own code did not make', async (t) => {
  const throws = (error: Error): Partial<MemberLog> => ({
    append: () => {
      throw error
    },
  })
  t.match(await ending(throws(new AssertionError('a gap'))), [/a gap/, 'passing'])
  t.match(await ending(refuses(new TypeError('no such field'))), [/no such field/, 'passing'])
  const internal = new JangadaError('JGD_INTERNAL', 'a bug', { hint: 'tell us' })
  t.match(await ending(refuses(internal)), [/a bug.*tell us/, 'passing'])
})

/** `change` makes the pieces of an empty store what they should not be. */
const holds = (change: (bytes: Uint8Array) => Uint8Array): Partial<MemberLog> => ({
  readSnapshot: async function* () {
    for (const piece of new Store().snapshotChunks()) yield change(piece.slice())
  },
})

t.test('a snapshot of a newer release is kept for the binary that can read it', async (t) => {
  const newer = holds((bytes) => {
    // Its first record: length (4), kind (1), format.
    bytes[5] = (bytes[5] ?? 0) + 1
    return bytes
  })
  t.match(await ending(newer), [/JGD_WAL_VERSION.*snapshot 9.*newer/, 'state'])
})

t.test('one that is as it was written, and still no state, is not the disk', async (t) => {
  const spoilt = holds((bytes) => bytes.subarray(0, -1))
  t.match(await ending(spoilt), [/JGD_INTERNAL.*snapshot 9/, 'passing'])
})

t.test('one that a checksum finds damaged, or that is not there', async (t) => {
  const fails = (error: Error): Partial<MemberLog> =>
    holds(() => {
      throw error
    })
  const damaged = new JangadaError('JGD_WAL_DAMAGED', 'a piece does not match its checksum')
  t.match(await ending(fails(damaged)), [/checksum/, 'log'])
  const gone = new JangadaError('JGD_NOT_FOUND', 'it is not here any more')
  t.match(await ending(fails(gone)), [/not here any more/, 'passing'])
})
