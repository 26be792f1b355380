/** Bugs that others had in their elections, by their symptoms. */
import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { Cluster, founded } from './cluster.ts'
import { at, id, joint, Lone, term, unknowing } from './lone.ts'

t.test('a vote is not forgotten by a restart, and leaves only when it cannot be', async (t) => {
  const lone = new Lone()
  const request = {
    kind: 'voteRequest',
    lastIndex: at(1),
    lastTerm: term(1),
    ...unknowing,
  } as const
  const asked = { ...request, from: id(2), to: id(1), term: term(2), transfer: false }
  lone.member.step({ kind: 'receive', message: asked, nowMs: 0 })
  t.equal(lone.last('voteResponse', 2), undefined, 'the disk does not have it yet')
  lone.member.syncAll()
  t.match(lone.last('voteResponse', 2), { granted: true })
  lone.member.restart(0)
  lone.receive({ ...request, from: id(3), term: term(2), transfer: false })
  t.match(lone.last('voteResponse', 3), { granted: false })
})

t.test('a vote must be synced, though no entry goes with it', async (t) => {
  const lone = new Lone()
  const place = { lastIndex: at(1), lastTerm: term(1), ...unknowing }
  lone.receive({ kind: 'voteRequest', from: id(2), term: term(2), transfer: false, ...place })
  const append = lone.effects.find((effect) => effect.kind === 'append')
  t.match(append, { entries: [], hardState: { vote: 2 }, mustSync: true })
})

t.test('a vote for itself counts in its own term only', async (t) => {
  const lone = new Lone()
  lone.member.step({ kind: 'campaign' })
  lone.member.step({ kind: 'campaign' })
  t.equal(lone.status.term, 3, 'it stands for the second time, and the disk has heard of neither')
  lone.member.sync()
  const granted = { kind: 'voteResponse', from: id(2), term: term(3), granted: true } as const
  lone.member.step({
    kind: 'receive',
    message: { ...granted, to: id(1), ...unknowing },
    nowMs: 0,
  })
  t.equal(lone.status.role, 'candidate', 'its vote in term 3 could still be forgotten')
  lone.member.sync()
  t.equal(lone.status.role, 'leader')
})

t.test(
  'others may be a majority, and still nobody leads on a vote that its disk lacks',
  async (t) => {
    // It could lose its power, stand once more in the same term, and lead it with other entries.
    const lone = new Lone()
    lone.member.step({ kind: 'campaign' })
    for (const from of [id(2), id(3)]) {
      const granted = {
        kind: 'voteResponse',
        from,
        to: id(1),
        term: term(2),
        granted: true,
      } as const
      lone.member.step({ kind: 'receive', message: { ...granted, ...unknowing }, nowMs: 0 })
    }
    t.equal(lone.status.role, 'candidate')
    lone.member.syncAll()
    t.equal(lone.status.role, 'leader')
  },
)

t.test('in a joint configuration an election needs both majorities', async (t) => {
  const lone = new Lone(joint([1, 4, 5], [1, 2, 3]))
  lone.lead(4, 5)
  t.equal(lone.status.role, 'candidate', 'those on their way out have not been heard')
  lone.lead(2, 4)
  t.equal(lone.status.role, 'leader')
})

t.test('a machine that lost its disk does not vote again as who it was', async (t) => {
  // Five voters. 4 lost its disk and came back under the id 6, which nobody's configuration has.
  const lone = new Lone(founded(1, 2, 3, 4, 5))
  lone.lead(2, 6)
  t.equal(lone.status.role, 'candidate', 'two of five, and one who does not count')
  lone.receive({
    kind: 'voteResponse',
    from: id(3),
    term: lone.status.term,
    granted: true,
    ...unknowing,
  })
  t.equal(lone.status.role, 'leader')
})

t.test('a member cut off with a higher term comes back without deadlock', async (t) => {
  const cluster = new Cluster(new SeededRandom(1), 3, { preVote: false })
  const leader = cluster.elect()
  const other = cluster.ids.find((each) => each !== leader.id) as number
  cluster.partition(other)
  cluster.runFor(3_000)
  const lonely = cluster.member(other).raft.status().term
  t.ok(lonely > leader.raft.status().term + 3, 'its term ran ahead')
  cluster.heal()
  cluster.runFor(2_000)
  const terms = cluster.ids.map((each) => cluster.member(each).raft.status().term)
  t.equal(new Set(terms).size, 1, 'all are of one term')
  cluster.propose(cluster.elect(), 'on we go')
  cluster.settle()
  t.ok(cluster.member(other).machine.includes('on we go'))
})

t.test('with pre-vote, who comes back disturbs nobody', async (t) => {
  const cluster = new Cluster(new SeededRandom(2), 3)
  const leader = cluster.elect()
  const { term: before } = leader.raft.status()
  cluster.partition(...cluster.ids.filter((each) => each !== leader.id).slice(0, 1))
  cluster.runFor(3_000)
  cluster.heal()
  cluster.runFor(2_000)
  t.match(cluster.leader?.raft.status(), { id: leader.id, term: before })
})

t.test('who is heard but hears nobody deposes nobody', async (t) => {
  const cluster = new Cluster(new SeededRandom(5), 3, { preVote: false })
  const leader = cluster.elect()
  const { term: before } = leader.raft.status()
  const deaf = cluster.ids.find((each) => each !== leader.id) as number
  for (const each of cluster.ids) if (each !== deaf) cluster.cut.add(`${each}>${deaf}`)
  cluster.runFor(3_000)
  t.ok(cluster.member(deaf).raft.status().term > before + 3, 'it asked again and again')
  t.match(leader.raft.status(), { role: 'leader', term: before }, 'and was not listened to')
})

t.test('a leader cut off from its quorum steps down', async (t) => {
  const cluster = new Cluster(new SeededRandom(3), 3)
  const leader = cluster.elect()
  cluster.partition(leader.id)
  cluster.runFor(1_000)
  t.not(leader.raft.status().role, 'leader')
  t.not(cluster.elect().id, leader.id)
})

t.test('leadership is handed over within one round trip', async (t) => {
  const cluster = new Cluster(new SeededRandom(4), 3)
  const leader = cluster.elect()
  const to = cluster.ids.find((each) => each !== leader.id) as never
  leader.step({ kind: 'transfer', to })
  const [dropped] = cluster.propose(leader, 'too late')
  cluster.settle()
  t.equal(cluster.leader?.id, to, 'no time had to pass')
  t.match(cluster.seen.find(({ effect }) => effect.kind === 'proposalDropped')?.effect, {
    proposalId: dropped,
    reason: 'transferring',
  })
})

/** A cluster of three in which one waits for 600 ms; how long until the leader is replaced. */
function replacedAfterMs(seed: number, loyaltyMs: number): number {
  const cluster = new Cluster(new SeededRandom(seed), 3, { repeatPreVote: true })
  const leader = cluster.elect()
  const [slow] = cluster.ids.filter((each) => each !== leader.id)
  cluster
    .member(slow as number)
    .step({ kind: 'setTimers', electionTimeoutMs: 600, loyaltyMs, heartbeatMs: 30 })
  cluster.runFor(300)
  cluster.partition(leader.id)
  const cutMs = cluster.nowMs
  const replaced = (): boolean => {
    const { id: leads } = cluster.leader ?? leader
    return leads !== leader.id
  }
  while (!replaced() && cluster.nowMs - cutMs < 2000) cluster.runFor(10)
  return cluster.nowMs - cutMs
}

t.test('a voter that stays loyal for longer is asked again when it no longer is', async (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const afterMs = replacedAfterMs(seed, 500)
    t.ok(afterMs >= 460 && afterMs <= 500 + 30 + 10, `seed ${seed}: ${afterMs} ms`)
  }
})

/** It is loyal for less than a timeout, but only to others: itself it hears all the time. */
t.test('a leader whose follower was away for a while goes on to lead', async (t) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const options = { repeatPreVote: true, restWhileAppending: true }
    const cluster = new Cluster(new SeededRandom(seed), 3, options)
    const leader = cluster.elect()
    const [away] = cluster.ids.filter((each) => each !== leader.id)
    const timers = { electionTimeoutMs: 300, loyaltyMs: 150, heartbeatMs: 30 }
    for (const each of cluster.members.values()) each.step({ kind: 'setTimers', ...timers })
    cluster.runFor(1000 + ((seed * 37) % 300))
    for (const way of [`${leader.id}>${away}`, `${away}>${leader.id}`]) cluster.cut.add(way)
    cluster.runFor(700 + ((seed * 53) % 200))
    cluster.cut.clear()
    cluster.runFor(1000)
    t.equal(cluster.leader?.id, leader.id, `seed ${seed}`)
  }
})

t.test('who stands late itself may agree sooner with another', async (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const afterMs = replacedAfterMs(seed, 200)
    t.ok(afterMs <= 300 + 30 + 10, `seed ${seed}: ${afterMs} ms`)
  }
})
