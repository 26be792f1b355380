import t from 'tap'
import { memberId, noMember } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { Claim, claimMs } from '../../../src/node/member/claim.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'

t.test('a member that is kept is claimed for a while, and not again', async (t) => {
  const random = new SeededRandom(1)
  const time = new SimulatedTime(random)
  const claim = new Claim(new SimulatedClock(time, random))
  const [one, other] = [memberId(7), memberId(9)]
  claim.begin(one)
  await time.runFor(claimMs - 1000)
  claim.begin(one)
  t.equal(claim.member, one)
  await time.runFor(2000)
  t.equal(claim.member, noMember, 'each try to open its log does not make it longer')
  claim.begin(one)
  t.equal(claim.member, noMember, 'nor does it begin anew')
  claim.begin(other)
  t.equal(claim.member, other)
  claim.end()
  t.equal(claim.member, noMember)
  claim.begin(one)
  await time.runFor(claimMs - 1000)
  t.equal(claim.member, one, 'one that was at work since has all of its time')
})
