import t from 'tap'
import { type Index, type MemberId, memberId } from '../../../src/base/ids.ts'
import { configOfVoters } from '../../../src/core/raft/config.ts'
import type { ProgressStatus } from '../../../src/core/raft/types.ts'
import { successorOf } from '../../../src/node/member/hand-over.ts'

const follower = (id: number, match: number, recentlyActive = true): ProgressStatus => ({
  id: memberId(id),
  state: 'replicate',
  match: match as Index,
  next: (match + 1) as Index,
  learner: false,
  paused: false,
  recentlyActive,
  pendingSnapshot: 0 as Index,
  inflightMessages: 0,
  inflightBytes: 0,
  inflightFull: false,
})

const status = (...progress: readonly ProgressStatus[]) => ({
  id: memberId(1),
  config: configOfVoters(memberId(1), memberId(2), memberId(3)),
  progress: [follower(1, 100), ...progress],
})

t.test('the lead goes to the voter that answers and lacks least', (t) => {
  t.equal(successorOf(status(follower(2, 90), follower(3, 95))), memberId(3))
  t.equal(successorOf(status(follower(2, 95), follower(3, 95))), memberId(2), 'or to the older')
  t.equal(successorOf(status(follower(2, 90), follower(3, 100, false))), memberId(2))
  t.equal(successorOf(status(follower(2, 90), follower(4, 100))), memberId(2), 'no learner')
  t.equal(successorOf(status()), undefined, 'nobody else votes')
  const asked: ReadonlySet<MemberId> = new Set([memberId(3)])
  t.equal(successorOf(status(follower(2, 90), follower(3, 95)), asked), memberId(2), 'the next one')
  t.end()
})
