/** The moves between follower, pre-candidate, candidate and leader. */
import { assert } from '../../base/assert.ts'
import { noMember, type Index, type MemberId, type Term } from '../../base/ids.ts'
import { memberIds } from './config.ts'
import { abandonReads } from './reads.ts'
import { appendOwn } from './replication.ts'
import type { RaftState } from './state.ts'

/** What begins with every new role: timers, votes and accounts of members. */
function reset(state: RaftState, term: Term): void {
  assert(term >= state.term, 'terms never descend')
  if (term !== state.term) {
    state.term = term
    state.vote = noMember
  }
  abandonReads(state)
  state.leader = noMember
  state.restartElectionTimer()
  state.heartbeatSinceMs = state.nowMs
  state.drawElectionTimeout()
  state.transferTarget = noMember
  state.votes = new Map()
  state.pendingConfigIndex = 0 as Index
  state.uncommittedBytes = 0
  const next = (state.log.lastIndex + 1) as Index
  state.progress = new Map(
    memberIds(state.config).map((id) => [id, state.newProgress(id, next)] as const),
  )
}

/** `leader` is `noMember` when unknown. */
export function becomeFollower(state: RaftState, term: Term, leader: MemberId): void {
  assert(leader !== state.id, 'nobody follows itself')
  reset(state, term)
  state.role = 'follower'
  state.leader = leader
  state.check()
  state.trace('info', () => `${state.id} became follower at term ${term}`)
}

/** Asks around without entering a new term, so that a vain question disturbs nobody. */
export function becomePreCandidate(state: RaftState): void {
  assert(state.role !== 'leader', 'a leader does not campaign')
  abandonReads(state)
  state.votes = new Map()
  state.role = 'preCandidate'
  state.heartbeatSinceMs = state.nowMs
  state.leader = noMember
  state.check()
  state.trace('info', () => `${state.id} became pre-candidate at term ${state.term}`)
}

export function becomeCandidate(state: RaftState): void {
  assert(state.role !== 'leader', 'a leader does not campaign')
  reset(state, (state.term + 1) as Term)
  state.role = 'candidate'
  state.vote = state.id
  state.check()
  state.trace('info', () => `${state.id} became candidate at term ${state.term}`)
}

export function becomeLeader(state: RaftState): void {
  assert(state.role === 'candidate' && state.vote === state.id, 'who leads was elected')
  reset(state, state.term)
  state.role = 'leader'
  state.leader = state.id
  const own = state.progressOf(state.id)
  own.becomeReplicate()
  own.recentlyActive = true
  // A member change of an earlier leader may be among the entries not applied yet. Until all of
  // them are, no other may begin: two changes at once can have majorities that do not overlap.
  state.pendingConfigIndex = state.log.lastIndex
  // The entry that begins the term. What came before it is committed with it, never by count.
  appendOwn(state, [{ kind: 'normal', data: new Uint8Array(0) }])
  state.check()
  state.trace('info', () => `${state.id} became leader at term ${state.term}`)
}
