/** What happens because time passed. All times are the caller's. */
import { assert } from '../../base/assert.ts'
import { noMember } from '../../base/ids.ts'
import { repeatPreVote, stand } from './election.ts'
import { maybeAutoLeave } from './membership.ts'
import { jointVote } from './quorum.ts'
import { expireReads } from './reads.ts'
import { broadcastHeartbeat, heartbeatWhereDue } from './replication.ts'
import { becomeFollower } from './roles.ts'
import type { RaftState } from './state.ts'
import type { RaftConfig } from './types.ts'

type Timers = Pick<RaftConfig, 'electionTimeoutMs' | 'loyaltyMs' | 'heartbeatMs'>

export function tick(state: RaftState, nowMs: number): void {
  state.advanceTo(nowMs)
  expireReads(state)
  if (state.role === 'leader') tickLeader(state)
  else tickOthers(state)
}

function tickOthers(state: RaftState): void {
  if (!state.promotable) return
  if (state.electionElapsedMs < state.randomizedTimeoutMs) {
    const asks = state.options.repeatPreVote && state.role === 'preCandidate'
    if (!asks || !heartbeatIsDue(state)) return
    state.heartbeatSinceMs = state.nowMs
    repeatPreVote(state)
    return
  }
  state.restartElectionTimer()
  stand(state, state.options.preVote ? 'preElection' : 'election')
}

function tickLeader(state: RaftState): void {
  if (state.electionElapsedMs >= state.electionTimeoutMs) {
    state.restartElectionTimer()
    if (state.options.checkQuorum && !quorumIsActive(state)) {
      state.trace('warn', () => `${state.id} stepped down to follower since quorum is not active`)
      becomeFollower(state, state.term, noMember)
      return
    }
    // The target took too long; proposals are taken again.
    state.transferTarget = noMember
  }
  maybeAutoLeave(state)
  if (state.options.restWhileAppending) {
    heartbeatWhereDue(state)
    return
  }
  if (!heartbeatIsDue(state)) return
  state.heartbeatSinceMs = state.nowMs
  broadcastHeartbeat(state)
}

const heartbeatIsDue = ({ nowMs, heartbeatSinceMs, heartbeatMs }: RaftState): boolean =>
  nowMs - heartbeatSinceMs >= heartbeatMs

/** Whether a quorum was heard from since the last check; the next check begins now. */
function quorumIsActive(state: RaftState): boolean {
  assert(state.role === 'leader', 'only a leader depends on being heard')
  const active = new Map([...state.progress.values()].map((p) => [p.id, p.recentlyActive]))
  active.set(state.id, true)
  for (const progress of state.progress.values()) {
    if (progress.id !== state.id) progress.recentlyActive = false
  }
  return jointVote(state.config, active) === 'won'
}

/** Takes effect on waits that begin from now on; the present wait is drawn again. */
export function setTimers(state: RaftState, timers: Timers): void {
  assertTimers(timers)
  const { electionTimeoutMs, loyaltyMs, heartbeatMs } = timers
  state.loyaltyMs = loyaltyMs
  if (state.electionTimeoutMs === electionTimeoutMs && state.heartbeatMs === heartbeatMs) return
  state.electionTimeoutMs = electionTimeoutMs
  state.heartbeatMs = heartbeatMs
  state.drawElectionTimeout()
}

export function assertTimers({ electionTimeoutMs, loyaltyMs, heartbeatMs }: Timers): void {
  assert(Number.isSafeInteger(electionTimeoutMs), 'the election timeout is a whole number')
  assert(heartbeatMs > 0, 'heartbeats take time')
  assert(loyaltyMs > heartbeatMs, 'a voter is loyal for longer than a heartbeat')
  assert(electionTimeoutMs >= loyaltyMs, 'whoever stands is loyal to nobody')
}
