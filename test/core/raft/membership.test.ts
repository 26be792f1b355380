/** Bugs that others had in their changes of membership, by their symptoms. */
import t from 'tap'
import type { Index } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { configOfVoters } from '../../../src/core/raft/config.ts'
import type { ConfigEntry, MemberChange, ProposalId } from '../../../src/core/raft/types.ts'
import { Cluster, founded } from './cluster.ts'
import { at, entry, id, Lone, term, unknowing } from './lone.ts'

const change = (kind: 'addVoter' | 'addLearner' | 'remove', member: number): MemberChange => ({
  kind: 'simple',
  steps: [{ kind, id: id(member) }],
})

const configEntry = (inTerm: number, index: number, what: MemberChange): ConfigEntry => ({
  kind: 'config',
  index: index as Index,
  term: term(inTerm),
  change: what,
})

const propose = (what: MemberChange) =>
  ({ kind: 'changeMembers', proposalId: 9 as ProposalId, change: what }) as const

t.test('a late answer from before removal and return does not count for the return', async (t) => {
  const lone = new Lone()
  lone.lead(2)
  lone.accept(2, 2)
  lone.accept(3, 2)
  const late = { ...lone.last('append', 3), kind: 'appendAccepted', match: at(2), from: id(3) }
  lone.member.step(propose(change('remove', 3)))
  lone.member.syncAll()
  lone.accept(2, 3)
  t.same(lone.status.config.voters, [1, 2])
  lone.member.step(propose(change('addVoter', 3)))
  lone.member.syncAll()
  lone.accept(2, 4)
  t.same(lone.status.config.voters, [1, 2, 3])
  lone.receive(late as never)
  const returned = lone.status.progress.find((account) => account.id === 3)
  t.match(returned, { match: 0, state: 'probe' })
})

t.test('two single changes by two leaders never run at once', async (t) => {
  // The change of an earlier leader is in the log, and nobody knows whether it is committed.
  const lone = new Lone({
    ...founded(1, 2, 3, 4),
    hardState: { term: term(2), vote: id(0), commit: at(1) },
    entries: [configEntry(2, 2, change('remove', 4))],
  })
  lone.lead(2, 3)
  t.equal(lone.status.role, 'leader')
  lone.member.step(propose(change('remove', 3)))
  t.match(lone.effects.at(-1), { kind: 'proposalDropped', reason: 'memberChangePending' })
  lone.member.syncAll()
  lone.accept(2, 3)
  lone.accept(3, 3)
  lone.member.syncAll()
  t.same(lone.status.config.voters, [1, 2, 3])
  lone.member.step(propose(change('remove', 3)))
  t.match(
    lone.effects.find((effect) => effect.kind === 'proposalAppended'),
    { index: 4 },
  )
})

t.test('a learner that does not know of its promotion still votes', async (t) => {
  const restored = founded(2, 3)
  const config = { ...restored.snapshot.config, learners: [id(1)] }
  const lone = new Lone({ ...restored, snapshot: { ...restored.snapshot, config } })
  const place = { lastIndex: at(5), lastTerm: term(2), ...unknowing }
  lone.receive({ kind: 'voteRequest', from: id(2), term: term(3), transfer: false, ...place })
  t.match(lone.last('voteResponse', 2), { granted: true })
  lone.member.step({ kind: 'campaign' })
  t.equal(lone.status.role, 'follower', 'though it does not stand itself')
})

t.test('a leader that removed itself does not go on leading', async (t) => {
  const cluster = new Cluster(new SeededRandom(1), 3)
  const leader = cluster.elect()
  leader.step(propose(change('remove', leader.id)))
  cluster.settle()
  t.match(leader.raft.status(), { role: 'follower', leader: 0 })
  cluster.propose(leader, 'from the past')
  t.match(cluster.seen.at(-1)?.effect, { kind: 'proposalDropped', reason: 'notLeader' })
  t.not(cluster.elect().id, leader.id)
  cluster.runFor(1_000)
  t.equal(leader.raft.status().role, 'follower', 'nor does it stand again')
})

// Changes are in force once applied, so a member may wait for the vote of one who knows better.

t.test('who refuses a vote says what is committed', async (t) => {
  // It knows that it was removed at 3; entry 4 is its own, and no quorum was ever to hold it.
  const lone = new Lone({
    hardState: { term: term(2), vote: id(1), commit: at(3) },
    snapshot: { index: at(3), term: term(2), config: configOfVoters(id(2)) },
    entries: [entry(2, 4)],
  })
  const ask = { kind: 'voteRequest', from: id(2), lastTerm: term(2), transfer: false } as const
  lone.receive({ ...ask, term: term(3), lastIndex: at(3), ...unknowing })
  t.match(lone.last('voteResponse', 2), { granted: false, commit: 3, commitTerm: 2 })
})

t.test('a candidate that hears of its rival being removed goes on without it', async (t) => {
  const lone = new Lone({
    ...founded(1, 2),
    hardState: { term: term(2), vote: id(0), commit: at(1) },
    entries: [configEntry(2, 2, change('remove', 2))],
  })
  lone.member.step({ kind: 'campaign' })
  lone.member.syncAll()
  const refusal = { kind: 'voteResponse', from: id(2), term: term(3), granted: false } as const
  lone.receive({ ...refusal, commit: at(2), commitTerm: term(1) })
  t.equal(lone.status.commit, 1, 'an entry with another term is not that entry')
  lone.member.step({ kind: 'campaign' })
  lone.member.syncAll()
  lone.receive({ ...refusal, term: term(4), commit: at(2), commitTerm: term(2) })
  t.match(lone.status, { role: 'follower', commit: 2, config: { voters: [1] } })
  lone.lead()
  t.equal(lone.status.role, 'leader')
})

t.test('nobody stands by a configuration that is out of date', async (t) => {
  // Founded alone. That 2 votes too is committed, and this slow machine has not applied it yet.
  const lone = new Lone({
    ...founded(1),
    hardState: { term: term(2), vote: id(0), commit: at(2) },
    entries: [configEntry(2, 2, change('addVoter', 2))],
  })
  lone.member.raft.step({ kind: 'campaign' })
  t.equal(lone.status.role, 'follower', 'by its own account it would be the only voter')
  lone.member.run()
  lone.lead()
  t.match(lone.status, { role: 'candidate', config: { voters: [1, 2] } })
})

t.test('a candidate that hears of a new voter does not win by the old majority', async (t) => {
  const lone = new Lone({
    ...founded(1, 2, 3),
    hardState: { term: term(2), vote: id(0), commit: at(1) },
    entries: [configEntry(2, 2, change('addVoter', 4))],
  })
  lone.member.step({ kind: 'campaign' })
  lone.member.syncAll()
  const vote = { kind: 'voteResponse', from: id(2), term: term(3), granted: true } as const
  lone.receive({ ...vote, commit: at(2), commitTerm: term(2) })
  t.match(lone.status, { role: 'follower', config: { voters: [1, 2, 3, 4] } })
})

t.test('a learner asked for its vote hears that it is a voter, and may stand', async (t) => {
  const restored = founded(2)
  const config = { ...restored.snapshot.config, learners: [id(1)] }
  const lone = new Lone({
    hardState: { term: term(2), vote: id(0), commit: at(1) },
    snapshot: { ...restored.snapshot, config },
    entries: [configEntry(2, 2, change('addVoter', 1)), entry(2, 3)],
  })
  const ask = { kind: 'voteRequest', from: id(2), lastTerm: term(2), transfer: false } as const
  const place = { lastIndex: at(2), commit: at(2), commitTerm: term(2) }
  lone.receive({ ...ask, term: term(3), ...place })
  t.match(lone.last('voteResponse', 2), { granted: false }, 'its log is the longer one')
  lone.lead(2)
  t.equal(lone.status.role, 'leader')
})

t.test('a joint change swaps a voter and is left by itself', async (t) => {
  const cluster = new Cluster(new SeededRandom(5), 3)
  const leader = cluster.elect()
  const leaving = cluster.ids.find((each) => each !== leader.id) as never
  cluster.add(id(4))
  const steps = [
    { kind: 'remove', id: leaving },
    { kind: 'addVoter', id: id(4) },
  ] as const
  leader.step(propose({ kind: 'enterJoint', steps, autoLeave: true }))
  cluster.runFor(200)
  const { config } = leader.raft.status()
  t.same(config.voters, [...cluster.ids.filter((each) => each !== leaving)])
  t.same(config.outgoing, [])
  t.same(cluster.member(4).machine.slice(1), leader.machine.slice(1))
})

t.test('a change that does not fit is refused before it enters the log', async (t) => {
  const lone = new Lone(founded(1))
  lone.lead()
  lone.member.syncAll()
  for (const what of [change('remove', 1), { kind: 'leaveJoint' } as const]) {
    lone.member.step(propose(what))
    t.match(lone.effects.at(-1), { kind: 'proposalDropped', reason: 'memberChangeInvalid' })
  }
  t.equal(lone.status.lastIndex, 2)
})
