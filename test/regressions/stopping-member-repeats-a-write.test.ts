import t from 'tap'
import { index, term } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { stopping } from '../../src/node/member/errors.ts'
import { Proposals } from '../../src/node/member/proposals.ts'
import { SimulatedClock, SimulatedTime } from '../sim/clock.ts'

/**
 * A leader that stopped told every proposer that nothing had happened; machines that are no
 * members then wrote again through the next leader, and what was in the log happened twice.
 */
t.test('what a stopping member had in its log may still happen', async (t) => {
  const random = new SeededRandom(1)
  const proposals = new Proposals(
    new SimulatedClock(new SimulatedTime(random.fork()), random.fork()),
  )
  const placed = proposals.open()
  proposals.gather({ proposalId: placed.id, data: new Uint8Array(1) })
  proposals.takeGathered()
  proposals.appended(placed.id, index(7), term(2))
  const waiting = proposals.open()
  proposals.gather({ proposalId: waiting.id, data: new Uint8Array(1) })
  const told = Promise.all([
    t.rejects(placed.committed, { code: 'JGD_OUTCOME_UNKNOWN' }, 'it may be committed by others'),
    t.rejects(waiting.committed, { code: 'JGD_SHUTTING_DOWN' }, 'it never entered a log'),
  ])
  proposals.failAll(stopping())
  await told
})
