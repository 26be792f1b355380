/** Handing leadership to another member (thesis, 3.10). */
import { assert } from '../../base/assert.ts'
import { noMember, type MemberId } from '../../base/ids.ts'
import { isVoter } from './config.ts'
import { sendAppend } from './replication.ts'
import type { RaftState } from './state.ts'

/** Given up by itself after an election timeout; until then proposals are refused. */
export function startTransfer(state: RaftState, to: MemberId): void {
  const { id, term } = state
  if (state.role !== 'leader' || to === id || to === state.transferTarget) return
  if (!isVoter(state.config, to)) {
    state.trace('debug', () => `${to} is learner. Ignored transferring leadership`)
    return
  }
  state.transferTarget = to
  // The time limit runs from now.
  state.restartElectionTimer()
  state.trace('info', () => `${id} [term ${term}] starts to transfer leadership to ${to}`)
  const progress = state.progressOf(to)
  assert(!progress.learner, 'leadership goes to a voter')
  if (progress.match === state.log.lastIndex) {
    sendTimeoutNow(state)
    state.trace(
      'info',
      () => `${id} sends MsgTimeoutNow to ${to} immediately as ${to} already has up-to-date log`,
    )
  } else sendAppend(state, progress)
}

/** The target may just have caught up. */
export function continueTransfer(state: RaftState, heardFrom: MemberId): void {
  if (state.role !== 'leader' || heardFrom !== state.transferTarget) return
  if (state.progressOf(heardFrom).match !== state.log.lastIndex) return
  state.trace(
    'info',
    () => `${state.id} sent MsgTimeoutNow to ${heardFrom} after received MsgAppResp`,
  )
  sendTimeoutNow(state)
}

function sendTimeoutNow(state: RaftState): void {
  const { id: from, transferTarget: to, term } = state
  assert(to !== noMember, 'there is somebody to hand over to')
  state.send({ kind: 'timeoutNow', from, to, term })
}
