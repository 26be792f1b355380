/** Bugs that others had in their logs, by their symptoms. */
import t from 'tap'
import { present } from '../../../src/base/assert.ts'
import { RaftLog } from '../../../src/core/raft/log.ts'
import { Inflights } from '../../../src/core/raft/inflights.ts'
import type { AppendToken } from '../../../src/core/raft/types.ts'
import { founded } from './cluster.ts'
import { at, entry, id, joint, Lone, session, term } from './lone.ts'

const token = (value: number): AppendToken => value as AppendToken
const newLog = (): RaftLog =>
  new RaftLog(founded(1, 2, 3), { applyBeforeDurable: false, maxApplyingBytes: 1000 })

t.test('a late report of a write does not vouch for entries that took its place', async (t) => {
  const log = newLog()
  log.takeFromLeader(at(1), term(1), [entry(2, 2), entry(2, 3)], at(0))
  log.handOut(token(1))
  log.takeFromLeader(at(1), term(1), [entry(3, 2), entry(3, 3)], at(0))
  t.same(log.handOut(token(2)).truncateFrom, 2, 'the disk hears what became void')
  // And back again, to entries equal to the first: A, B, A.
  log.takeFromLeader(at(1), term(1), [entry(4, 2), entry(4, 3)], at(3))
  log.handOut(token(3))
  log.written(token(1))
  t.equal(log.durable, 1, 'the first write is about entries that are gone')
  log.written(token(2))
  t.equal(log.durable, 1)
  t.same(log.handOutApply(), [], 'what is committed but not durable is not applied')
  log.written(token(3))
  t.equal(log.durable, 3)
  t.equal(log.handOutApply().length, 2)
})

t.test('a late report of a write says nothing of a log that began anew', async (t) => {
  const log = newLog()
  log.takeFromLeader(
    at(1),
    term(1),
    [2, 3, 4, 5].map((index) => entry(2, index)),
    at(1),
  )
  log.handOut(token(1))
  const { config } = founded(1, 2, 3).snapshot
  log.restore({ index: at(3), term: term(3), config })
  t.match(log.handOut(token(2)), { snapshot: { index: 3 }, entries: [] })
  log.written(token(1))
  t.match(log, { durable: 1, lastIndex: 3, restoring: true })
  log.written(token(2))
  t.match(log, { durable: 3, applied: 3, restoring: false })
})

t.test('an acknowledgement waits for the disk', async (t) => {
  const lone = new Lone()
  const append = { kind: 'append', from: id(2), to: id(1), term: term(2) } as const
  const place = { prevIndex: at(1), prevTerm: term(1), session: session(7), commit: at(1) }
  const message = { ...append, ...place, entries: [entry(2, 2)] }
  lone.member.step({ kind: 'receive', message, nowMs: 0 })
  t.equal(lone.last('appendAccepted', 2), undefined, 'the disk does not have it yet')
  lone.member.sync()
  t.match(lone.last('appendAccepted', 2), { match: 2 })
})

t.test('a snapshot must be synced before it is answered for', async (t) => {
  const lone = new Lone()
  const { config } = lone.status
  const snapshot = { index: at(9), term: term(2), config }
  const leader = { from: id(2), to: id(1), term: term(2), session: session(7) }
  lone.member.arrived.set(
    at(9),
    Array.from({ length: 9 }, () => ''),
  )
  lone.member.step({
    kind: 'receive',
    message: { kind: 'snapshot', ...leader, snapshot },
    nowMs: 0,
  })
  const append = lone.effects.findLast((effect) => effect.kind === 'append')
  t.match(append, { snapshot: { index: 9 }, mustSync: true })
  t.equal(lone.last('appendAccepted', 2), undefined)
  lone.member.sync()
  t.match(lone.last('appendAccepted', 2), { match: 9 })
})

t.test('an append from index 0 over a compacted log does not append twice', async (t) => {
  const lone = new Lone()
  const append = { kind: 'append', from: id(2), term: term(2), session: session(7) } as const
  const entries = [entry(2, 2), entry(2, 3)]
  lone.receive({ ...append, prevIndex: at(1), prevTerm: term(1), entries, commit: at(3) })
  lone.member.compact(0)
  t.equal(lone.status.firstIndex, 4)
  const old = [entry(1, 1), ...entries]
  lone.receive({ ...append, prevIndex: at(0), prevTerm: term(0), entries: old, commit: at(3) })
  t.equal(lone.status.lastIndex, 3)
  t.match(lone.last('appendAccepted', 2), { match: 3, session: 7 })
})

t.test('a snapshot that contradicts what is committed is not taken', async (t) => {
  const lone = new Lone()
  const leader = { from: id(2), term: term(2), session: session(7) }
  const entries = [entry(2, 2), entry(2, 3)]
  lone.receive({
    kind: 'append',
    ...leader,
    ...{ prevIndex: at(1), prevTerm: term(1), entries, commit: at(3) },
  })
  const { config } = lone.status
  const snapshot = { index: at(3), term: term(1), config }
  lone.receive({ kind: 'snapshot', ...leader, snapshot })
  t.equal(lone.status.applied, 3)
  t.notOk(lone.effects.some((effect) => effect.kind === 'append' && effect.snapshot))
})

t.test('a heartbeat with a commit beyond the log neither kills nor commits', async (t) => {
  const lone = new Lone()
  const leader = { from: id(2), term: term(2), session: session(7) }
  lone.receive({ kind: 'heartbeat', ...leader, commit: at(100), readRound: 3 })
  t.equal(lone.status.commit, 1)
  t.match(lone.last('heartbeatResponse', 2), { readRound: 3, session: 7 })
})

t.test('bytes of messages on their way are freed with them, to the last', async (t) => {
  const inflights = new Inflights(4, 100)
  inflights.add(at(3), 60)
  inflights.add(at(5), 70)
  t.ok(inflights.full, 'the message that passes the bound was still taken')
  inflights.freeUpTo(at(3))
  t.match(inflights, { bytes: 70, count: 1, full: false })
  inflights.freeUpTo(at(9))
  t.match(inflights, { bytes: 0, count: 0 })
})

t.test('a single voter commits nothing before its own disk has it', async (t) => {
  const lone = new Lone(founded(1))
  lone.member.step({ kind: 'campaign' })
  t.equal(lone.status.role, 'candidate', 'even its own vote waits for the disk')
  lone.member.sync()
  t.equal(lone.status.role, 'leader')
  t.equal(lone.status.commit, 1)
  lone.member.sync()
  t.equal(lone.status.commit, 2)
})

t.test('figure 8: an entry of an earlier term is not committed by counting', async (t) => {
  const lone = new Lone({
    ...founded(1, 2, 3),
    hardState: { term: term(3), vote: id(0), commit: at(1) },
    entries: [entry(2, 2)],
  })
  lone.lead(2)
  t.match(lone.status, { role: 'leader', term: 4, lastIndex: 3 })
  lone.accept(2, 2)
  t.equal(lone.status.commit, 1, 'two of three hold entry 2, and it may still be lost')
  lone.accept(2, 3)
  t.equal(lone.status.commit, 3, 'with an entry of this term it is safe')
})

t.test('in a joint configuration both majorities must hold an entry', async (t) => {
  const lone = new Lone(joint([1, 4, 5], [1, 2, 3]))
  lone.lead(2, 4)
  for (const follower of [4, 5]) lone.accept(follower, 2)
  t.equal(lone.status.commit, 1, 'those on their way out do not hold it')
  lone.accept(2, 2)
  t.equal(lone.status.commit, 2)
})

t.test('a follower is not stuck in probing after a broken connection', async (t) => {
  const lone = new Lone()
  lone.lead(2)
  lone.accept(2, 2)
  const followed = () => lone.status.progress.find((account) => account.id === 2)
  t.equal(followed()?.state, 'replicate')
  lone.member.step({ kind: 'unreachable', id: id(2) })
  t.equal(followed()?.state, 'probe')
  const sent = present(lone.last('append', 2), 'an append')
  const told = { from: id(2), term: sent.term, session: sent.session }
  lone.receive({ kind: 'heartbeatResponse', ...told, readRound: 0 })
  lone.accept(2, 2)
  t.equal(followed()?.state, 'replicate', 'nothing new was needed for that')
})

t.test('a follower whose whole window was lost is heard again', async (t) => {
  const lone = new Lone(founded(1, 2, 3), { maxInflightMessages: 2 })
  lone.lead(2)
  lone.accept(2, 2)
  for (let i = 0; i < 4; i += 1) {
    const proposals = [{ proposalId: i as never, data: new Uint8Array(3) }]
    lone.member.step({ kind: 'propose', proposals })
  }
  const before = lone.sent.length
  const sent = present(lone.last('append', 2), 'an append')
  const told = { from: id(2), term: sent.term, session: sent.session }
  lone.receive({ kind: 'heartbeatResponse', ...told, readRound: 0 })
  const probes = lone.sent.slice(before).filter((message) => message.kind === 'append')
  t.match(probes, [{ entries: [], prevIndex: 4 }], 'one empty append, to be refused')
  lone.receive({
    kind: 'appendRejected',
    ...{ ...told, rejected: at(4), hintIndex: at(2), hintTerm: sent.term },
  })
  t.match(lone.last('append', 2), { prevIndex: 2 }, 'and it starts over from what is known')
})

t.test('a throttled follower is sent a snapshot of what left memory meanwhile', async (t) => {
  const lone = new Lone(founded(1, 2, 3), { maxInflightMessages: 2 })
  lone.lead(2)
  for (const follower of [2, 3]) lone.accept(follower, 2)
  for (let index = 3; index <= 6; index += 1) {
    const proposals = [{ proposalId: index as never, data: new Uint8Array(3) }]
    lone.member.step({ kind: 'propose', proposals })
    lone.member.syncAll()
    lone.accept(2, index)
  }
  const throttled = () => lone.status.progress.find((account) => account.id === 3)
  t.match(throttled(), { state: 'replicate', match: 2, next: 5, inflightFull: true })
  lone.member.compact(0)
  t.equal(lone.status.firstIndex, 7)
  const sent = present(lone.last('append', 3), 'an append')
  const told = { from: id(3), term: sent.term, session: sent.session }
  lone.receive({ kind: 'heartbeatResponse', ...told, readRound: 0 })
  t.match(throttled(), { state: 'snapshot', pendingSnapshot: 6 })
  t.match(
    lone.effects.find((effect) => effect.kind === 'sendSnapshot'),
    { message: { to: 3, snapshot: { index: 6 } } },
  )
  lone.receive({ kind: 'appendAccepted', ...told, match: at(6) })
  t.match(throttled(), { state: 'replicate', match: 6, next: 7 })
})
