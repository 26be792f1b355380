/** Whom a leader's heartbeats are for, where appends say as much. */
import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import type { ProposalId } from '../../../src/core/raft/types.ts'
import { Cluster } from './cluster.ts'
import { id, Lone, readId } from './lone.ts'

const rests = { restWhileAppending: true, holdCommitNotice: true } as const
const tickMs = 10

function leading(options: typeof rests | Record<string, never> = rests): Lone {
  const lone = new Lone(undefined, options)
  lone.lead(2)
  for (const other of [2, 3]) lone.accept(other, 2)
  return lone
}

let proposals = 0
function propose(lone: Lone): void {
  proposals += 1
  const proposal = { proposalId: proposals as ProposalId, data: new Uint8Array(3) }
  lone.member.step({ kind: 'propose', proposals: [proposal] })
  lone.member.syncAll()
}

/** Each turn of 10 ms: a write, answered by `answering`. Returns who was sent how many heartbeats. */
function busy(lone: Lone, ms: number, answering: readonly number[]): Record<number, number> {
  const before = lone.sent.length
  for (const untilMs = lone.nowMs + ms; lone.nowMs < untilMs;) {
    lone.nowMs += tickMs
    lone.member.step({ kind: 'tick', nowMs: lone.nowMs })
    propose(lone)
    for (const other of answering) lone.accept(other, lone.status.lastIndex)
  }
  const beats = lone.sent.slice(before).filter(({ kind }) => kind === 'heartbeat')
  const count = (to: number): number => beats.filter((message) => message.to === id(to)).length
  return { 2: count(2), 3: count(3) }
}

t.test('who is sent appends and answers them gets no heartbeats', async (t) => {
  const lone = leading()
  busy(lone, 50, [2, 3])
  t.same(busy(lone, 300, [2, 3]), { 2: 0, 3: 0 })
  t.same(busy(leading({}), 300, [2, 3]), { 2: 10, 3: 10 }, 'unless they are asked for')
})

t.test('who does not answer its appends gets them: it may be its disk that is slow', async (t) => {
  const lone = leading()
  busy(lone, 50, [2, 3])
  const { 2: two, 3: three } = busy(lone, 300, [2])
  t.equal(two, 0)
  t.ok((three ?? 0) >= 8, `${three} of 10`)
})

t.test('when the writes end, the heartbeats go on within one of their times', async (t) => {
  const lone = leading()
  busy(lone, 50, [2, 3])
  const before = lone.sent.length
  for (let waited = 0; waited < 40; waited += tickMs) {
    lone.nowMs += tickMs
    lone.member.step({ kind: 'tick', nowMs: lone.nowMs })
  }
  const beats = lone.sent.slice(before).filter(({ kind }) => kind === 'heartbeat')
  t.same(
    beats.map(({ to }) => to),
    [2, 3],
  )
})

t.test('a read whose heartbeats were lost is asked for again, whatever is written', async (t) => {
  const lone = leading()
  busy(lone, 50, [2, 3])
  lone.member.step({ kind: 'readIndex', readId: readId(1) })
  const { 2: two } = busy(lone, 100, [2, 3])
  t.ok((two ?? 0) >= 2, `${two} more`)
})

t.test('a commit that no append has told of is told when it is asked for', async (t) => {
  const lone = leading()
  propose(lone)
  lone.accept(2, lone.status.lastIndex)
  const { commit } = lone.status
  t.not((lone.last('append', 3) as { commit: number }).commit, commit)
  lone.member.step({ kind: 'tellCommit' })
  t.match(lone.last('append', 3), { commit, entries: [] })
  const sent = lone.sent.length
  lone.member.step({ kind: 'tellCommit' })
  t.equal(lone.sent.length, sent, 'once')
})

t.test('a change of the members is told as soon as it is committed', async (t) => {
  const lone = leading()
  const steps = [{ kind: 'addLearner', id: id(4) }] as const
  lone.member.step({
    kind: 'changeMembers',
    proposalId: 99 as ProposalId,
    change: { kind: 'simple', steps },
  })
  lone.member.syncAll()
  const { lastIndex } = lone.status
  lone.accept(2, lastIndex)
  t.match(lone.last('append', 3), { commit: lastIndex, entries: [] })
})

t.test('a busy leader keeps its quorum through disks that stand still', async (t) => {
  const cluster = new Cluster(new SeededRandom(5), 3, rests)
  const leader = cluster.elect()
  for (let turn = 0; turn < 100; turn += 1) {
    cluster.tick(tickMs)
    cluster.propose(leader, `${turn}`)
    // Messages arrive and are answered, and nothing is ever durable.
    for (let moves = 0; moves < 4; moves += 1) {
      for (const member of cluster.members.values()) member.run()
      for (const packet of cluster.wire.splice(0)) cluster.hand(packet)
    }
  }
  t.equal(leader.raft.status().role, 'leader', 'after a second, with timeouts of 150 ms')
})
