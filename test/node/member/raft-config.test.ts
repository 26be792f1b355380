/** The core as the product sets it. */
import t from 'tap'
import { memberId } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { raftConfig } from '../../../src/node/member/raft-config.ts'
import { Cluster } from '../../core/raft/cluster.ts'

const { id: _, ...options } = raftConfig(memberId(1))

t.test('a leader whose clock stands still answers no read from memory', async (t) => {
  const cluster = new Cluster(new SeededRandom(1), 3, options)
  const old = cluster.elect()
  const others = [...cluster.members.values()].filter((member) => member !== old)
  cluster.partition(old.id)
  // For the others a second passes, and for this one none: it still believes that it leads.
  for (let passed = 0; passed < 1000; passed += 10) {
    cluster.nowMs += 10
    for (const member of others) member.step({ kind: 'tick', nowMs: cluster.nowMs })
    cluster.settle()
  }
  const now = others.find((member) => member.raft.status().role === 'leader')
  if (now === undefined) throw new Error('nobody was elected')
  cluster.propose(now, 'newer')
  cluster.settle()
  t.ok(now.machine.includes('newer'))
  t.equal(old.raft.status().role, 'leader')
  t.doesNotThrow(() => cluster.read(old), 'a read is not answered with less than there was')
  cluster.settle()
  t.equal(cluster.safety.readsAnswered, 0)
})

t.test('nothing of the core that only scripts use is on', (t) => {
  t.match(options, {
    preVote: true,
    checkQuorum: true,
    readOnly: 'safe',
    stepDownOnRemoval: true,
    disableMemberChangeValidation: false,
    applyBeforeDurable: false,
    holdCommitNotice: true,
    repeatPreVote: true,
    restWhileAppending: true,
  })
  t.end()
})
