import t from 'tap'
import { SeededRandom } from '../../../src/base/random.ts'
import { CommitTimes } from '../../../src/core/voters/commit-times.ts'
import { describeQuorum, type QuorumMember } from '../../../src/core/voters/quorum.ts'
import { majorityOf, mayLose } from '../../../src/core/voters/view.ts'
import { Cluster } from '../raft/cluster.ts'

const table = [
  { voters: 1, majority: 1, mayLose: 0 },
  { voters: 2, majority: 2, mayLose: 0 },
  { voters: 3, majority: 2, mayLose: 1 },
  { voters: 4, majority: 3, mayLose: 1 },
  { voters: 5, majority: 3, mayLose: 2 },
  { voters: 6, majority: 4, mayLose: 2 },
  { voters: 7, majority: 4, mayLose: 3 },
]

const member = (name: string, extra: Partial<QuorumMember> = {}): QuorumMember => ({
  name,
  answers: true,
  silentMs: 0,
  behindMs: 0,
  isAtLeast: false,
  ...extra,
})

for (const row of table) {
  t.test(`${row.voters} voters: ${row.majority} decide, ${row.mayLose} may be lost`, (t) => {
    t.equal(majorityOf(row.voters), row.majority)
    t.equal(mayLose(row.voters), row.mayLose)
    for (let lost = 0; lost <= row.voters; lost += 1) {
      const voters = Array.from({ length: row.voters }, (_, at) =>
        member(`n${at + 1}`, { answers: at >= lost }),
      )
      const { canLose, words } = describeQuorum(voters, [])
      t.equal(canLose, row.mayLose - lost)
      const promise =
        canLose > 0 ? `can lose ${canLose}` : canLose === 0 ? 'can lose none' : 'writes wait for'
      t.ok(words.includes(promise), words)
      t.equal(decides(row.voters, lost), canLose >= 0, `consensus with ${lost} away agrees`)
    }
    t.end()
  })
}

/** Whether the protocol itself, with `lost` of `voters` cut off, commits anything. */
function decides(voters: number, lost: number): boolean {
  const cluster = new Cluster(new SeededRandom(voters * 10 + lost), voters)
  // Each of the lost is alone, so that no majority can form on their side.
  const away = new Set(cluster.ids.slice(0, lost))
  for (const a of cluster.ids) {
    for (const b of cluster.ids)
      if (a !== b && (away.has(a) || away.has(b))) cluster.cut.add(`${a}>${b}`)
  }
  cluster.runFor(3000)
  const leader = cluster.ids
    .filter((id) => !away.has(id))
    .map((id) => cluster.member(id))
    .find((each) => each.raft.status().role === 'leader')
  return leader !== undefined && leader.raft.appliedRef()?.term === leader.raft.status().term
}

t.test('in words', (t) => {
  const words = (voters: readonly QuorumMember[], standbys: readonly QuorumMember[] = []): string =>
    describeQuorum(voters, standbys).words
  const [n1, n2, n3] = [member('n1'), member('n2', { behindMs: 1234 }), member('n3')]
  t.equal(words([n1]), '1 voter, can lose none')
  t.equal(words([n1, n2, n3]), '3 voters, can lose 1; n2 is 1.2 s behind')
  t.equal(words([n1, n3, n3], [member('n4')]), '3 voters, can lose 1; 1 standby')
  const silent = member('n2', { answers: false, silentMs: 125_000 })
  t.equal(
    words([n1, silent, n3]),
    '3 voters, 2 answer, can lose none; n2 has not answered for 2 min',
  )
  t.equal(
    words([n1, silent, member('n3', { answers: false })]),
    '3 voters, 1 answers, writes wait for 1 more; n2 has not answered for 2 min; n3 does not answer',
  )
  const far = member('n2', { behindMs: 61_000, isAtLeast: true })
  t.equal(words([n1, far, n3]), '3 voters, can lose 1; n2 is at least 1 min behind')
  t.match(describeQuorum([n1, n3], [], true).words, /a change of voters is under way/)
  t.end()
})

t.test('how far a follower is behind is the age of what it lacks', (t) => {
  const times = new CommitTimes()
  t.same(times.behind(500, 0), { ms: 0, isAtLeast: false }, 'nothing is known yet')
  for (let at = 1; at <= 5; at += 1) times.note(at * 100, at * 10)
  times.note(600, 50)
  t.same(times.behind(1000, 50), { ms: 0, isAtLeast: false })
  t.same(times.behind(1000, 30), { ms: 600, isAtLeast: false })
  t.same(times.behind(1000, 39), { ms: 600, isAtLeast: false })
  t.same(times.behind(1000, 5), { ms: 900, isAtLeast: true }, 'or longer: nobody looked before')
  for (let at = 6; at <= 2000; at += 1) times.note(at * 100, at * 10)
  t.same(times.behind(200_000, 0).isAtLeast, true)
  t.ok(times.behind(200_000, 0).ms < 60_000, 'memory is bounded')
  t.end()
})
