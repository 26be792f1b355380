import t from 'tap'
import { machineId, memberId } from '../../../src/base/ids.ts'
import {
  decideVoters,
  type VoterMachine,
  type VoterMember,
  voterReplaceAfterMs,
  type VotersView,
} from '../../../src/core/voters/decide.ts'

const machine = (n: number, extra: Partial<VoterMachine> = {}): VoterMachine => ({
  id: machineId(n.toString(16).padStart(32, '0')),
  status: 'ready',
  sinceMs: 0,
  eligible: true,
  runs: undefined,
  ...extra,
})
const member = (id: number, on: number, caughtUp = true): VoterMember => ({
  id: memberId(id),
  machine: machine(on).id,
  caughtUp,
})
const ids = (...list: number[]) => list.map((id) => memberId(id))
const one: VotersView = {
  nowMs: 1000,
  self: memberId(1),
  target: 3,
  voters: ids(1),
  outgoing: [],
  learners: [],
  members: [member(1, 1)],
  machines: [machine(1)],
}
const three: VotersView = {
  ...one,
  voters: ids(1, 5, 9),
  members: [member(1, 1), member(5, 2), member(9, 3)],
  machines: [machine(1), machine(2), machine(3)],
}

t.test('one voter stays one while only one machine can join: two would be worse', (t) => {
  t.same(decideVoters(one), { kind: 'none' })
  t.same(decideVoters({ ...one, machines: [machine(1), machine(2)] }), { kind: 'none' })
  t.end()
})

t.test('from one to three: two learners first, then both in one change', (t) => {
  const machines = [machine(1), machine(2), machine(3)]
  t.same(decideVoters({ ...one, machines }), { kind: 'addLearner', machine: machine(2).id })
  const members = [member(1, 1), member(5, 2)]
  const second = { ...one, machines, learners: ids(5), members }
  t.same(decideVoters(second), { kind: 'addLearner', machine: machine(3).id })
  const behind = { ...second, learners: ids(5, 9), members: [...members, member(9, 3, false)] }
  t.same(decideVoters(behind), { kind: 'none' }, 'one still has to catch up')
  const ready = { ...behind, members: [...members, member(9, 3)] }
  t.same(decideVoters(ready), { kind: 'change', add: ids(5, 9), remove: [] })
  t.same(decideVoters({ ...ready, outgoing: ids(1) }), { kind: 'none' }, 'one change at a time')
  t.end()
})

t.test('a machine that may not vote is never asked', (t) => {
  const machines = [machine(1), machine(2, { eligible: false }), machine(3, { eligible: false })]
  t.same(decideVoters({ ...one, machines }), { kind: 'none' })
  t.end()
})

t.test('a silent voter is replaced after ten minutes, and only by somebody', (t) => {
  const lost = { ...three, machines: [machine(1), machine(2), machine(3, { status: 'lost' })] }
  t.same(decideVoters({ ...lost, nowMs: voterReplaceAfterMs }), { kind: 'none' })
  const spare = { ...lost, machines: [...lost.machines, machine(4)] }
  t.same(decideVoters(spare), { kind: 'none' }, 'it may only be slow')
  const late = { ...spare, nowMs: voterReplaceAfterMs }
  t.same(decideVoters(late), { kind: 'addLearner', machine: machine(4).id })
  const ready = { ...late, learners: ids(12), members: [...three.members, member(12, 4)] }
  t.same(decideVoters(ready), { kind: 'change', add: ids(12), remove: ids(9) })
  t.end()
})

t.test('a wiped machine comes back as a new member, at once', (t) => {
  const wiped = [machine(1), machine(2), machine(3, { runs: 0 })]
  const asked = decideVoters({ ...three, machines: wiped })
  t.same(asked, { kind: 'addLearner', machine: machine(3).id })
  const members = [...three.members, member(12, 3)]
  const machines = [machine(1), machine(2), machine(3, { runs: 12 })]
  const ready = { ...three, machines, members, learners: ids(12) }
  t.same(decideVoters(ready), { kind: 'change', add: ids(12), remove: ids(9) })
  t.end()
})

t.test('a record without a place in the configuration is forgotten', (t) => {
  const members = [...three.members, member(12, 3)]
  t.same(decideVoters({ ...three, members }), { kind: 'forget', member: memberId(12) })
  t.end()
})

t.test('a dead learner leaves; too many voters leave, the leader never', (t) => {
  const left = { ...three, learners: ids(12), members: [...three.members, member(12, 4)] }
  t.same(decideVoters(left), { kind: 'change', add: [], remove: ids(12) })
  t.same(decideVoters({ ...three, target: 1 }), { kind: 'change', add: [], remove: ids(5, 9) })
  t.end()
})
