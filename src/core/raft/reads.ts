/**
 * Linearizable reads without log entries (thesis, 6.4).
 *
 * A leader answers only after it has committed an entry of its own term: until then its commit
 * index may lag behind what earlier leaders committed and answered for.
 */
import { assert } from '../../base/assert.ts'
import { noMember, type Index, type MemberId } from '../../base/ids.ts'
import { electorateIds, jointIndex } from './quorum.ts'
import { broadcastHeartbeat } from './replication.ts'
import type { Read } from './reads-table.ts'
import type { RaftState } from './state.ts'
import type { HeartbeatResponse, ReadId, ReadRequest, ReadResponse } from './types.ts'

/** How many election timeouts a follower waits for a leader's answer. */
const forwardPatience = 2

export function readIndex(state: RaftState, readId: ReadId): void {
  const { reads } = state
  if (reads.full) fail(state, readId)
  else if (state.role === 'leader') reads.wait({ readId, from: state.id, nonce: reads.nonce })
  else if (state.leader === noMember) fail(state, readId)
  else {
    reads.forward(readId, state.nowMs)
    const { id: from, leader: to, term } = state
    state.send({ kind: 'readRequest', from, to, term, readId, nonce: reads.nonce })
  }
}

export function receiveReadRequest(state: RaftState, message: ReadRequest): void {
  // No answer: the asker gives up by itself, and asks whoever leads by then.
  if (state.role !== 'leader' || state.reads.full) return
  const { readId, from, nonce } = message
  state.reads.wait({ readId, from, nonce })
}

export function receiveReadResponse(state: RaftState, message: ReadResponse): void {
  const { reads } = state
  // An answer to a question asked before this process started would be older than the question.
  if (message.nonce !== reads.nonce || !reads.answerForwarded(message.readId)) return
  state.notices.push({ kind: 'readReady', readId: message.readId, index: message.index })
}

/** Begins the round for what came in since the last one. Called once per batch of effects. */
export function flushReads(state: RaftState): void {
  const { reads, log } = state
  if (state.role !== 'leader' || !reads.hasWaiting) return
  if (log.termAt(log.committed) !== state.term) return
  const alone = electorateIds(state.config).every((id) => id === state.id)
  if (alone || state.options.readOnly === 'leaseBased') {
    for (const read of reads.takeWaiting()) answer(state, read, log.committed)
    return
  }
  const round = reads.beginRound(log.committed)
  assert(round === reads.round, 'the heartbeats carry the new round')
  broadcastHeartbeat(state)
}

/** A member answered a heartbeat, and with it the round the heartbeat carried. */
export function acknowledgeRound(state: RaftState, message: HeartbeatResponse): void {
  const progress = state.progressOf(message.from)
  const { reads } = state
  assert(message.readRound <= reads.round, 'no round is answered before it begins')
  if (message.readRound <= progress.ackedRound) return
  progress.ackedRound = message.readRound
  const round = jointIndex(state.config, (id) =>
    id === state.id ? reads.round : state.progress.get(id)?.ackedRound,
  )
  assert(Number.isSafeInteger(round), 'a leader has voters')
  for (const read of reads.confirm(round)) answer(state, read, read.index)
}

/** The leader is lost or another: every read here may be asked again, with a new id. */
export function abandonReads(state: RaftState): void {
  if (state.reads.count === 0) return
  const { asked, forwarded } = state.reads.abandon()
  for (const read of asked) if (read.from === state.id) fail(state, read.readId)
  for (const readId of forwarded) fail(state, readId)
}

/** Messages get lost; a read that waits for an answer does not wait for ever. */
export function expireReads(state: RaftState): void {
  const patienceMs = forwardPatience * state.electionTimeoutMs
  for (const readId of state.reads.expireForwarded(state.nowMs - patienceMs)) fail(state, readId)
}

function answer(state: RaftState, read: Read, index: Index): void {
  const { readId, nonce } = read
  if (read.from === state.id) state.notices.push({ kind: 'readReady', readId, index })
  else reply(state, read.from, readId, nonce, index)
}

function reply(state: RaftState, to: MemberId, readId: ReadId, nonce: number, index: Index): void {
  state.send({ kind: 'readResponse', from: state.id, to, term: state.term, readId, nonce, index })
}

function fail(state: RaftState, readId: ReadId): void {
  state.notices.push({ kind: 'readFailed', readId })
}
