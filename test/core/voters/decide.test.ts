import t from 'tap'
import { memberId } from '../../../src/base/ids.ts'
import { decideVoters } from '../../../src/core/voters/decide.ts'
import {
  learnerReplaceAfterMs,
  voterReplaceAfterMs,
  type VotersStep,
} from '../../../src/core/voters/view.ts'
import { ids, machine, member, settle, viewOf } from './fixture.ts'

const three = viewOf(
  [1, 2, 3],
  [1, 2, 3].map((n) => machine(n)),
)
const kindOf = ({ kind }: VotersStep): string => kind
const asking = (n: number) => ({ kind: 'addLearner', machine: machine(n).id })
const swap = (add: readonly number[], remove: readonly number[]) => ({
  kind: 'change',
  add: ids(...add),
  demote: [],
  remove: ids(...remove),
})

t.test('so many machines that may vote, so many voters and standbys', (t) => {
  const table = [
    { machines: 1, asked: 3, voters: 1, standbys: 0 },
    { machines: 2, asked: 3, voters: 1, standbys: 1 },
    { machines: 3, asked: 3, voters: 3, standbys: 0 },
    { machines: 4, asked: 3, voters: 3, standbys: 1 },
    { machines: 5, asked: 3, voters: 3, standbys: 2 },
    { machines: 7, asked: 3, voters: 3, standbys: 2 },
    { machines: 3, asked: 1, voters: 1, standbys: 2 },
    { machines: 4, asked: 5, voters: 3, standbys: 1 },
    { machines: 5, asked: 5, voters: 5, standbys: 0 },
    { machines: 6, asked: 5, voters: 5, standbys: 1 },
    { machines: 7, asked: 5, voters: 5, standbys: 2 },
    { machines: 6, asked: 7, voters: 5, standbys: 1 },
    { machines: 7, asked: 7, voters: 7, standbys: 0 },
    { machines: 9, asked: 7, voters: 7, standbys: 2 },
  ]
  for (const row of table) {
    const machines = Array.from({ length: row.machines }, (_, at) => machine(at + 1))
    const settled = settle(viewOf([1], machines, { target: row.asked }))
    const held = { voters: settled.voters.length, standbys: settled.learners.length }
    t.same(held, { voters: row.voters, standbys: row.standbys }, JSON.stringify(row))
  }
  t.end()
})

t.test('from one to three: two learners first, then both in one change', (t) => {
  const machines = [machine(1), machine(2), machine(3)]
  t.match(decideVoters(viewOf([1], machines)), asking(2))
  const members = [member(1, 1), member(5, 2)]
  const second = viewOf([1], machines, { learners: ids(5), members })
  t.match(decideVoters(second), asking(3))
  const late = member(9, 3, { caughtUp: false })
  const behind = { ...second, learners: ids(5, 9), members: [...members, late] }
  t.match(decideVoters(behind), { kind: 'none', why: 'n3 still has to catch up' })
  const ready = { ...behind, members: [...members, member(9, 3)] }
  t.match(decideVoters(ready), swap([5, 9], []))
  t.match(decideVoters({ ...ready, outgoing: ids(1) }), { kind: 'none' }, 'one change at a time')
  t.end()
})

t.test('a machine that may not vote is never asked', (t) => {
  const machines = [machine(1), machine(2, { eligible: false }), machine(3, { eligible: false })]
  t.match(decideVoters(viewOf([1], machines)), { kind: 'none', why: /too few machines may vote/ })
  t.end()
})

t.test('a silent voter is replaced after ten minutes, and only by somebody', (t) => {
  const lost = [machine(1), machine(2), machine(3, { status: 'lost' })]
  const nowMs = voterReplaceAfterMs
  t.same(decideVoters({ ...three, machines: lost, nowMs }), { kind: 'none', why: '' })
  const standby = { learners: ids(12), members: [...three.members, member(12, 4)] }
  const spare = { ...three, ...standby, machines: [...lost, machine(4)] }
  t.equal(kindOf(decideVoters(spare)), 'none', 'it may only be slow, even beside a standby')
  t.match(decideVoters({ ...spare, nowMs }), {
    ...swap([12], [3]),
    why: 'n3 has been silent for ten minutes; n4 votes in its place',
  })
  t.end()
})

t.test('two of five are silent and one machine is free: one is replaced, none given up', (t) => {
  const gone = { status: 'lost' } as const
  const machines = [1, 2, 3, 6].map((n) => machine(n)).concat(machine(4, gone), machine(5, gone))
  const five = viewOf([1, 2, 3, 4, 5], machines, { target: 5, nowMs: voterReplaceAfterMs })
  const { voters } = settle(five)
  t.equal(voters.length, 5)
  t.ok(
    voters.some((id) => id === 4 || id === 5),
    'the other keeps its vote for when it is back',
  )
  t.end()
})

t.test('a wiped machine comes back as a new member, at once', (t) => {
  const wiped = [machine(1), machine(2), machine(3, { runs: 0 })]
  t.match(decideVoters({ ...three, machines: wiped }), asking(3))
  const members = [...three.members, member(12, 3)]
  const machines = [machine(1), machine(2), machine(3, { runs: 12 })]
  const ready = { ...three, machines, members, learners: ids(12) }
  t.match(decideVoters(ready), swap([12], [3]))
  t.end()
})

t.test('no vote is given up because who could take it was asked a moment ago, or restarts', (t) => {
  const members = [...three.members, member(12, 4)]
  const gone = [machine(1), machine(2), machine(3, { status: 'left' })]
  const view = { ...three, machines: [...gone, machine(4, { avoided: true })] }
  t.equal(kindOf(decideVoters(view)), 'none', 'asked a moment ago')
  const restarting = { ...three, machines: [...gone, machine(4, { status: 'lost', sinceMs: 900 })] }
  t.equal(kindOf(decideVoters(restarting)), 'none', 'restarts')
  const back = { ...three, learners: ids(12), members, machines: [...gone, machine(4)] }
  t.match(decideVoters(back), swap([12], [3]))
  t.end()
})

t.test('a learner that dies as it catches up is not waited for', (t) => {
  const lost = machine(4, { status: 'lost', sinceMs: 1000 })
  const wiped = [machine(1), machine(2), machine(3, { runs: 0, eligible: false })]
  const members = [...three.members, member(12, 4, { caughtUp: false })]
  const view = { ...three, learners: ids(12), members, machines: [...wiped, lost, machine(5)] }
  t.match(decideVoters(view), asking(5), 'another is asked at once')
  const later = { ...view, nowMs: 1000 + learnerReplaceAfterMs }
  t.match(decideVoters(later), swap([], [12]), 'and the dead one is given up soon after')
  t.end()
})

t.test('a learner whose machine lives and that takes nothing is given up', (t) => {
  const members = [...three.members, member(12, 4, { caughtUp: false, stalled: true })]
  const view = { ...three, learners: ids(12), members, machines: [...three.machines, machine(4)] }
  t.match(decideVoters(view), { ...swap([], [12]), why: /does not catch up/ })
  t.end()
})

t.test('a record without a place in the configuration is forgotten', (t) => {
  const members = [...three.members, member(12, 3)]
  t.same(decideVoters({ ...three, members }), { kind: 'forget', member: memberId(12) })
  t.end()
})

t.test('fewer are asked for: the youngest become standbys, and the leader stays', (t) => {
  const fewer = decideVoters({ ...three, target: 1 })
  t.match(fewer, { kind: 'change', add: [], demote: ids(3, 2), remove: [] })
  t.end()
})

t.test('disks first, then what does not fail together, then by id', (t) => {
  const at = (n: number, domain: string, durable = true) => machine(n, { domain, durable })
  const machines = [at(1, 'a'), at(2, 'a'), at(3, 'b', false), at(4, 'b'), at(5, 'c')]
  const settled = settle(viewOf([1], machines))
  const voting = settled.voters.map((id) => settled.members.find((each) => each.id === id)?.machine)
  t.same(
    voting,
    [1, 4, 5].map((n) => machine(n).id),
  )
  t.end()
})

t.test('a machine that comes later moves a vote out of a crowded place, once', (t) => {
  const machines = [1, 2].map((n) => machine(n, { domain: 'a' })).concat(machine(3), machine(4))
  const view = viewOf([1, 2, 3], machines)
  const steps: VotersStep[] = []
  const settled = settle(view, (_before, step) => steps.push(step))
  t.match(steps[0], asking(4))
  t.match(steps[1], { kind: 'change', demote: ids(2), remove: [] })
  t.equal(steps.length, 2)
  t.same(settled.learners, ids(2), 'who gave its vote away stands by')
  t.end()
})

t.test('a demoted machine is replaced, and not asked again', (t) => {
  const demoted = [machine(1), machine(2), machine(3, { wish: 'client' }), machine(4)]
  t.match(decideVoters({ ...three, machines: demoted }), asking(4))
  const settled = settle({ ...three, machines: demoted })
  t.equal(settled.voters.length, 3)
  t.notOk(settled.voters.includes(memberId(3)) || settled.learners.includes(memberId(3)))
  t.end()
})

t.test('the leader is demoted: another leads first', (t) => {
  const machines = [machine(1, { wish: 'client' }), machine(2), machine(3), machine(4)]
  const members = [member(1, 1), member(2, 2, { match: 90 }), member(3, 3), member(4, 4)]
  const view = { ...three, machines, members, learners: ids(4) }
  t.match(decideVoters(view), { kind: 'transfer', to: memberId(3) }, 'the best caught-up one')
  t.match(decideVoters({ ...view, self: memberId(3) }), swap([4], [1]))
  t.end()
})

t.test('the only voter is demoted: the next one votes before it goes', (t) => {
  const machines = [machine(1, { wish: 'client' }), machine(2)]
  const kinds: string[] = []
  const settled = settle(viewOf([1], machines), (_before, step) => kinds.push(step.kind))
  t.same(kinds, ['addLearner', 'change', 'transfer', 'change', 'forget'])
  t.equal(settled.voters.length, 1)
  t.notOk(settled.voters.includes(memberId(1)))
  const alone = viewOf([1], [machine(1, { wish: 'client' })])
  t.match(decideVoters(alone), { kind: 'none', why: /no other machine may vote/ })
  t.end()
})

t.test('a dead member is demoted: it goes at once, and the number stays odd', (t) => {
  const dead = [machine(1), machine(2), machine(3, { status: 'lost', wish: 'client' })]
  const settled = settle({ ...three, machines: dead })
  t.same([settled.voters.length, settled.learners.length], [1, 1])
  const spare = settle({ ...three, machines: [...dead, machine(4)] })
  t.equal(spare.voters.length, 3)
  t.end()
})

t.test('a machine that is to vote takes the place of one that need not', (t) => {
  const machines = [1, 2, 3, 4].map((n) => machine(n, n === 4 ? { wish: 'voter' } : {}))
  const settled = settle({ ...three, machines })
  const voting = settled.members.filter(({ id }) => settled.voters.includes(id))
  t.same(
    voting.map((each) => each.machine),
    [1, 2, 4].map((n) => machine(n).id),
  )
  t.end()
})

t.test('no change goes where too few would live to decide', (t) => {
  const machines = [
    machine(1),
    machine(2, { status: 'lost', sinceMs: 900 }),
    machine(3, { wish: 'client' }),
  ]
  t.match(decideVoters({ ...three, machines, target: 3 }), { kind: 'change', demote: ids(2) })
  const five = viewOf(
    [1, 2, 3, 4, 5],
    [
      machine(1),
      machine(2, { status: 'lost', sinceMs: 900 }),
      machine(3, { status: 'lost', sinceMs: 900 }),
      machine(4),
      machine(5, { wish: 'client' }),
      machine(6, { eligible: false }),
      machine(7, { eligible: false }),
    ],
    { target: 5 },
  )
  const step = decideVoters(five)
  t.match(step, { kind: 'change', remove: ids(5) })
  t.equal(step.kind === 'change' && step.demote.length, 1, 'a dead one leaves with it')
  t.end()
})

/** Five of seven are to go, the leader among them, and two are lost: one machine can be added. */
t.test('when too many are to go at once, as many go as can', (t) => {
  const client = { wish: 'client' } as const
  const machines = [
    ...[1, 2, 4, 5].map((n) => machine(n, { ...client, runs: memberId(n) })),
    machine(3, { eligible: false, runs: memberId(0) }),
    ...[6, 7].map((n) => machine(n, { status: 'lost', sinceMs: 1000 })),
    machine(8),
  ]
  const from = {
    ...viewOf([1, 2, 3, 4, 5, 6, 7], machines, { target: 5 }),
    learners: ids(8),
    members: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => member(n, n)),
  }
  t.match(decideVoters(from), swap([8], [3, 2, 4]), 'the leader stays to hand over')
  const settled = settle(from)
  t.same(settled.voters, ids(1, 5, 6, 7, 8), 'three of five live')
  t.end()
})
