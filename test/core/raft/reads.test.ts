/** Bugs that others had in their reads, by their symptoms. */
import t from 'tap'
import { present } from '../../../src/base/assert.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { Cluster, founded } from './cluster.ts'
import { at, entry, id, joint, Lone, readId, term } from './lone.ts'

const answered = (lone: Lone) =>
  lone.effects.flatMap((effect) => (effect.kind === 'readReady' ? [effect] : []))

function answerHeartbeat(lone: Lone, from: number, readRound: number): void {
  const { session } = present(lone.last('heartbeat', from), 'a heartbeat')
  const answer = { kind: 'heartbeatResponse', session, readRound } as const
  lone.receive({ ...answer, from: id(from), term: lone.status.term })
}

t.test('a read waits until its leader has committed in its own term', async (t) => {
  const lone = new Lone({
    ...founded(1, 2, 3),
    hardState: { term: term(2), vote: id(0), commit: at(1) },
    entries: [entry(2, 2)],
  })
  lone.lead(2)
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  t.equal(lone.last('heartbeat', 2), undefined, 'no round begins for it')
  lone.accept(2, 3)
  answerHeartbeat(lone, 2, 1)
  t.match(answered(lone), [{ readId: 1, index: 3 }], 'it sees what the leader before committed')
})

t.test('a single voter that lost its commit index does not answer from the old one', async (t) => {
  const lone = new Lone({
    ...founded(1),
    hardState: { term: term(2), vote: id(1), commit: at(1) },
    entries: [entry(2, 2)],
  })
  lone.member.step({ kind: 'campaign' })
  lone.member.sync()
  t.equal(lone.status.role, 'leader')
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  t.same(answered(lone), [])
  lone.member.syncAll()
  t.match(answered(lone), [{ readId: 1, index: 3 }])
})

t.test('an answer to an earlier round does not confirm a later read', async (t) => {
  const lone = new Lone()
  lone.lead(2)
  lone.accept(2, 2)
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  lone.member.step({ kind: 'readIndex', readId: readId(2) })
  answerHeartbeat(lone, 2, 1)
  t.match(answered(lone), [{ readId: 1 }])
  answerHeartbeat(lone, 3, 1)
  t.equal(answered(lone).length, 1, 'the second read began after that round')
  answerHeartbeat(lone, 3, 2)
  t.match(answered(lone), [{ readId: 1 }, { readId: 2 }])
})

t.test('a read asked under an earlier leadership is not answered by a later one', async (t) => {
  const lone = new Lone()
  lone.lead(2)
  lone.accept(2, 2)
  // It is deposed already, and does not know: entry 3 is committed and answered for elsewhere.
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  const place = { prevIndex: at(2), prevTerm: lone.status.term, session: 1 as never }
  const entries = [entry(3, 3)]
  lone.receive({ kind: 'append', from: id(2), term: term(3), ...place, entries, commit: at(3) })
  lone.lead(2)
  lone.accept(2, 4)
  lone.member.step({ kind: 'readIndex', readId: readId(2) })
  answerHeartbeat(lone, 2, lone.last('heartbeat', 2)?.readRound ?? 0)
  t.match(answered(lone), [{ readId: 2, index: 4 }], 'only what was asked of this leadership')
  t.match(
    lone.effects.filter((effect) => effect.kind === 'readFailed'),
    [{ readId: 1 }],
  )
})

t.test('in a joint configuration a read needs both majorities', async (t) => {
  const lone = new Lone(joint([1, 4, 5], [1, 2, 3]))
  lone.lead(2, 4)
  for (const follower of [2, 4]) lone.accept(follower, 2)
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  for (const follower of [4, 5]) answerHeartbeat(lone, follower, 1)
  t.same(answered(lone), [], 'another may lead those on their way out')
  answerHeartbeat(lone, 2, 1)
  t.match(answered(lone), [{ readId: 1, index: 2 }])
})

t.test('the last voter to stay does not read alone before the others have left', async (t) => {
  const lone = new Lone(joint([1], [1, 2, 3]))
  lone.lead(2)
  lone.accept(2, 2)
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  t.same(answered(lone), [])
  answerHeartbeat(lone, 2, 1)
  t.match(answered(lone), [{ readId: 1 }])
})

t.test('reads that come together share one round', async (t) => {
  const lone = new Lone()
  lone.lead(2)
  lone.accept(2, 2)
  const before = lone.sent.length
  for (const each of [1, 2, 3]) lone.member.raft.step({ kind: 'readIndex', readId: readId(each) })
  lone.member.run()
  t.equal(lone.sent.length - before, 2, 'one heartbeat a follower')
  answerHeartbeat(lone, 3, 1)
  t.equal(answered(lone).length, 3)
})

t.test('a deposed leader answers no read', async (t) => {
  const cluster = new Cluster(new SeededRandom(1), 3)
  const old = cluster.elect()
  cluster.partition(old.id)
  const asked = cluster.read(old)
  cluster.runFor(2_000)
  const of = cluster.seen.filter((one) => one.id === old.id).map(({ effect }) => effect)
  t.match(
    of.find((effect) => effect.kind === 'readFailed'),
    { readId: asked },
  )
  t.notOk(of.some((effect) => effect.kind === 'readReady'))
})

t.test('a follower reads through its leader, and gives up when nobody answers', async (t) => {
  const cluster = new Cluster(new SeededRandom(2), 3)
  const leader = cluster.elect()
  const follower = cluster.member(cluster.ids.find((each) => each !== leader.id) as number)
  cluster.read(follower)
  cluster.settle()
  t.equal(cluster.safety.readsAnswered, 1)
  const lost = cluster.read(follower)
  cluster.wire = []
  cluster.runFor(500)
  const failed = cluster.seen.find(({ effect }) => effect.kind === 'readFailed')
  t.match(failed, { id: follower.id, effect: { readId: lost } })
})

t.test('a restarted follower takes no answer to what it asked before', async (t) => {
  const lone = new Lone()
  const leader = { from: id(2), term: term(2) }
  lone.receive({ kind: 'heartbeat', ...leader, session: 1 as never, commit: at(1), readRound: 0 })
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  const asked = lone.last('readRequest', 2)
  lone.member.restart(0)
  lone.receive({ kind: 'heartbeat', ...leader, session: 1 as never, commit: at(1), readRound: 0 })
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  const nonce = asked?.nonce ?? 0
  lone.receive({ kind: 'readResponse', ...leader, readId: readId(1), nonce, index: at(1) })
  t.same(answered(lone), [])
})
