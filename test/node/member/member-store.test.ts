import t from 'tap'
import { type MemberId, memberId, noMember, type Term } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { Store } from '../../../src/core/store/store.ts'
import type { Member } from '../../../src/node/member/member.ts'
import type { Leadership } from '../../../src/node/member/member-options.ts'
import { MemberStore } from '../../../src/node/member/member-store.ts'
import { SimulatedClock, SimulatedTime, settle } from '../../sim/clock.ts'
import { seededEntropy } from '../../sim/entropy.ts'

const self = memberId(1)

/** As much of a member as a write of its own needs. */
class SeatedMember {
  readonly id: MemberId = self
  readonly store = new Store()
  leadership: Leadership = { role: 'follower', term: 1 as Term, leader: noMember }
  tries = 0

  propose(): Promise<unknown> {
    this.tries += 1
    return Promise.resolve({ result: { kind: 'transaction', succeeded: true } })
  }
}

t.test(
  'a write that waits for a leader goes on when there is one, and not by the clock',
  async (t) => {
    const time = new SimulatedTime(new SeededRandom(1))
    const member = new SeatedMember()
    const store = new MemberStore({
      member: member as unknown as Member,
      door: () => {
        throw new Error('nobody else is asked')
      },
      clock: new SimulatedClock(time, new SeededRandom(2)),
      entropy: seededEntropy(new SeededRandom(3)),
      keeper: () => undefined,
    })
    const written = store.transact({ compare: [], then: [], otherwise: [] })
    await settle()
    t.equal(member.tries, 0, 'nobody leads')
    member.leadership = { role: 'leader', term: 2 as Term, leader: self }
    await settle()
    t.equal(member.tries, 0, 'it has not heard of it')
    store.leadershipChanged()
    t.match(await written, { succeeded: true })
    t.equal(time.nowMs, 0, 'no time passed')
  },
)
