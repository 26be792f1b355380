/** The member carries the core's promises out: nothing leaves before the disk has it. */
import t from 'tap'
import { memberId, type Index, type MemberId, type Term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { configOfVoters } from '../../../src/core/raft/config.ts'
import type { Message, Session } from '../../../src/core/raft/types.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { LogAppend, MemberLog } from '../../../src/node/member/member-log.ts'
import { Member } from '../../../src/node/member/member.ts'
import { entry } from '../../core/raft/lone.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { seededEntropy } from '../../sim/entropy.ts'
import { sinkLog } from '../../sim/quiet.ts'

const [self, other] = [memberId(1), memberId(2)] as const

interface Write {
  readonly append: LogAppend
  readonly isDurable: () => void
}

/** A member of three whose disk takes as long as the test says. */
function newMember() {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random.fork())
  const writes: Write[] = []
  const sent: Message[] = []
  const unused = (): never => {
    throw new Error('no snapshot is meant here')
  }
  const log: MemberLog = {
    append: (append) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      writes.push({ append, isDurable: resolve })
      return promise
    },
    writeSnapshot: unused,
    readSnapshot: unused,
    restored: unused,
    receiveSnapshot: unused,
    close: () => Promise.resolve(),
  }
  const nothing = { term: 0 as Term, index: 0 as Index }
  const member = new Member({
    id: self,
    restored: {
      hardState: { term: nothing.term, vote: 0 as MemberId, commit: nothing.index },
      snapshot: { ...nothing, config: configOfVoters(self, other, memberId(3)) },
      entries: [],
    },
    store: new Store(),
    log,
    clock: new SimulatedClock(time, random.fork()),
    entropy: seededEntropy(random.fork()),
    logger: sinkLog(() => undefined),
    send: (message) => void sent.push(message),
    sendSnapshot: unused,
    onLeadership: () => undefined,
    onCommand: () => undefined,
    onFatal: (reason) => t.fail(reason),
  })
  return { member, writes, sent }
}

/** Everything that waits for nothing but its turn has happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve()
}

const request = {
  kind: 'voteRequest',
  ...{ from: other, to: self, term: 1 as Term, transfer: false },
  ...{ lastIndex: 5 as Index, lastTerm: 1 as Term, commit: 0 as Index, commitTerm: 0 as Term },
} as const

const append = (index: number): Message => ({
  kind: 'append',
  ...{ from: other, to: self, term: 1 as Term, session: 1 as Session, commit: 0 as Index },
  ...{ prevIndex: (index - 1) as Index, prevTerm: (index === 1 ? 0 : 1) as Term },
  entries: [entry(1, index)],
})

t.test('a vote leaves when the log has it, and not before', async (t) => {
  const { member, writes, sent } = newMember()
  member.receive([request])
  await settled()
  t.match(writes, [{ append: { hardState: { term: 1, vote: 2 }, mustSync: true } }])
  t.same(sent, [], 'a crash could still make it forget')
  writes[0]?.isDurable()
  await settled()
  t.match(sent, [{ kind: 'voteResponse', to: 2, granted: true }])
})

t.test('acknowledgements leave in the order of the log, whichever write ends first', async (t) => {
  const { member, writes, sent } = newMember()
  member.receive([append(1)])
  member.receive([append(2)])
  await settled()
  t.equal(writes.length, 2, 'the second write does not wait for the first')
  writes[1]?.isDurable()
  await settled()
  t.same(sent, [], 'what comes before it is not durable yet')
  writes[0]?.isDurable()
  await settled()
  t.match(sent, [
    { kind: 'appendAccepted', match: 1 },
    { kind: 'appendAccepted', match: 2 },
  ])
})
