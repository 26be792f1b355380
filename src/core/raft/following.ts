/** The follower's side of the log: taking what the leader of this term sends. */
import { assert } from '../../base/assert.ts'
import type { Index } from '../../base/ids.ts'
import { restoreConfig } from './membership.ts'
import type { RaftState } from './state.ts'
import type { AppendMessage, HeartbeatMessage, Session, SnapshotMessage } from './types.ts'

/** `message` is of this term, so its sender is the leader. */
export function receiveFromLeader(
  state: RaftState,
  message: AppendMessage | HeartbeatMessage | SnapshotMessage,
): void {
  assert(state.role === 'follower', 'candidates step back before they follow')
  assert(message.term === state.term, 'only the leader of this term is followed')
  state.restartElectionTimer()
  state.leader = message.from
  switch (message.kind) {
    case 'append':
      receiveAppend(state, message)
      return
    case 'heartbeat':
      receiveHeartbeat(state, message)
      return
    case 'snapshot':
      receiveSnapshot(state, message)
      return
    default:
  }
}

function accept(state: RaftState, { session }: { session: Session }, match: Index): void {
  const { id: from, leader: to, term } = state
  state.sendOnceDurable({ kind: 'appendAccepted', from, to, term, session, match })
}

function receiveAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state
  const { prevIndex, prevTerm, entries, commit } = message
  // An old append. What is committed agrees with any leader, so that much can be confirmed.
  if (prevIndex < log.committed) {
    accept(state, message, log.committed)
    return
  }
  const match = log.takeFromLeader(prevIndex, prevTerm, entries, commit)
  if (match === undefined) reject(state, message)
  else accept(state, message, match)
}

function reject(state: RaftState, message: AppendMessage): void {
  const { log, id: from, term, leader: to } = state
  const { prevIndex: rejected, prevTerm, session } = message
  state.trace(
    'debug',
    () =>
      `${from} [logterm: ${log.termAt(rejected) ?? 0}, index: ${rejected}] rejected MsgApp ` +
      `[logterm: ${prevTerm}, index: ${rejected}] from ${message.from}`,
  )
  const last = Math.min(rejected, log.lastIndex) as Index
  const { index: hintIndex, term: hintTerm } = log.conflictByTerm(last, prevTerm)
  state.sendOnceDurable({
    kind: 'appendRejected',
    from,
    to,
    term,
    session,
    rejected,
    hintIndex,
    hintTerm,
  })
}

function receiveHeartbeat(state: RaftState, message: HeartbeatMessage): void {
  const { log, id: from, term } = state
  const { from: to, session, readRound } = message
  // A leader tells only what it knows this member to hold. A member that holds less is not the
  // one it knew: the heartbeat is from before it was removed and added again, or its disk was
  // emptied. Neither is a reason to die, nor to believe that the rest of its log is committed.
  if (message.commit <= log.lastIndex) log.commitTo(message.commit)
  else state.trace('warn', () => `${from} ignored commit ${message.commit} beyond its log`)
  state.send({ kind: 'heartbeatResponse', from, to, term, session, readRound })
}

function receiveSnapshot(state: RaftState, message: SnapshotMessage): void {
  const { log, id } = state
  const { index, term } = message.snapshot
  const restored = restore(state, message)
  state.trace(
    'info',
    () =>
      `${id} [commit: ${log.committed}] ${restored ? 'restored' : 'ignored'} snapshot ` +
      `[index: ${index}, term: ${term}]`,
  )
  accept(state, message, restored ? log.lastIndex : log.committed)
}

function restore(state: RaftState, { snapshot }: SnapshotMessage): boolean {
  const { log, id } = state
  const { index, term } = snapshot
  if (index <= log.committed) return false
  const place = (): string =>
    `[commit: ${log.committed}, lastindex: ${log.lastIndex}, lastterm: ${log.lastTerm}]`
  const name = `snapshot [index: ${index}, term: ${term}]`
  // The log has it all already; keeping it spares the entries after the snapshot.
  if (log.matches(index, term)) {
    state.trace('info', () => `${id} ${place()} fast-forwarded commit to ${name}`)
    log.commitTo(index)
    return false
  }
  state.trace('info', () => `log [${log.describe()}] starts to restore ${name}`)
  log.restore(snapshot)
  restoreConfig(state, snapshot.config, index)
  state.trace('info', () => `${id} ${place()} restored ${name}`)
  assert(log.committed === index && log.lastTerm === term, 'the log begins anew there')
  return true
}
