/**
 * The leader's side of the log: sending it, hearing how far it got, and committing.
 *
 * Source: Ongaro's thesis, 3.5 and 3.6.2, with etcd-io/raft's flow control.
 */
import { assert } from '../../base/assert.ts'
import type { Index, MemberId, Term } from '../../base/ids.ts'
import { describeProgress } from './describe.ts'
import { entryBytes, totalBytes } from './entries.ts'
import type { Progress } from './progress.ts'
import { jointIndex } from './quorum.ts'
import type { RaftState } from './state.ts'
import type {
  AppendAccepted,
  AppendRejected,
  ConfigEntry,
  Entry,
  HeartbeatResponse,
  NormalEntry,
} from './types.ts'

/** An entry without its place, which the leader's log gives it. */
export type EntryBody = Pick<NormalEntry, 'kind' | 'data'> | Pick<ConfigEntry, 'kind' | 'change'>

/** Adds to the leader's own log. Its own acknowledgement comes once they are durable. */
export function appendOwn(state: RaftState, bodies: readonly EntryBody[]): readonly Entry[] {
  const { log, term, id } = state
  assert(state.role === 'leader', 'only a leader adds to the log')
  assert(bodies.length > 0, 'there is something to add')
  const entries = bodies.map((body, i): Entry => ({
    ...body,
    term,
    index: (log.lastIndex + 1 + i) as Index,
  }))
  log.append(entries)
  state.uncommittedBytes += totalBytes(entries)
  const { session } = state.progressOf(id)
  const match = log.lastIndex
  state.sendOnceDurable({ kind: 'appendAccepted', from: id, to: id, term, session, match })
  return entries
}

export function broadcastAppend(state: RaftState): void {
  for (const id of state.others) sendAppend(state, state.progressOf(id))
}

/** An append even without entries: it carries the commit index, and asks for an answer. */
export function sendAppend(state: RaftState, progress: Progress): void {
  maybeSendAppend(state, progress, true)
}

/** False when nothing was sent: the member is paused, or `evenIfEmpty` is false and all is sent. */
export function maybeSendAppend(
  state: RaftState,
  progress: Progress,
  evenIfEmpty: boolean,
): boolean {
  assert(state.role === 'leader' && progress.id !== state.id, 'a leader sends to others')
  if (progress.paused) return false
  const { log } = state
  const prevIndex = (progress.next - 1) as Index
  const prevTerm = log.termAt(prevIndex)
  // The member needs entries that have left memory here.
  if (prevTerm === undefined) return maybeSendSnapshot(state, progress)
  // Past the inflight bound only empty appends leave, one for each heartbeat answered. Without
  // them a member whose whole window was lost would never be heard refusing.
  const full = progress.state === 'replicate' && progress.inflights.full
  const entries = full ? [] : log.sliceWithin(progress.next, state.options.maxAppendBytes)
  if (entries.length === 0 && !evenIfEmpty) return false
  const { id: from, term } = state
  const { id: to, session } = progress
  const commit = log.committed
  state.send({ kind: 'append', from, to, term, session, prevIndex, prevTerm, entries, commit })
  progress.sentEntries(entries.length, totalBytes(entries))
  progress.sentCommit(commit)
  progress.appendAtMs = state.nowMs
  return true
}

function maybeSendSnapshot(state: RaftState, progress: Progress): boolean {
  const { log, id: from, term } = state
  const { id: to, session } = progress
  if (!progress.recentlyActive) {
    state.trace('debug', () => `ignore sending snapshot to ${to} since it is not recently active`)
    return false
  }
  const { snapshot } = log
  assert(snapshot.index + 1 >= log.firstIndex, 'the snapshot covers what left memory')
  state.trace(
    'debug',
    () =>
      `${from} [firstindex: ${log.firstIndex}, commit: ${log.committed}] sent snapshot` +
      `[index: ${snapshot.index}, term: ${snapshot.term}] to ${to} ` +
      `[${describeProgress(progress.status())}]`,
  )
  progress.becomeSnapshot(snapshot.index)
  state.trace(
    'debug',
    () =>
      `${from} paused sending replication messages to ${to} ` +
      `[${describeProgress(progress.status())}]`,
  )
  state.outbox.push({ bulk: { kind: 'snapshot', from, to, term, session, snapshot } })
  return true
}

export function broadcastHeartbeat(state: RaftState): void {
  for (const to of state.others) sendHeartbeat(state, state.progressOf(to))
}

/** To each whose last one is long enough ago, and with whom no appends and answers go on. */
export function heartbeatWhereDue(state: RaftState): void {
  for (const to of state.others) {
    const progress = state.progressOf(to)
    const isDue = state.nowMs - progress.heartbeatAtMs >= state.heartbeatMs
    if (isDue && !isExchanging(state, progress)) sendHeartbeat(state, progress)
  }
}

/** It was sent an append, and has answered one, within a heartbeat's time; and no read waits for it. */
function isExchanging({ nowMs, heartbeatMs, reads }: RaftState, progress: Progress): boolean {
  const { appendAtMs, answeredAtMs, ackedRound } = progress
  const sinceMs = nowMs - Math.min(appendAtMs, answeredAtMs)
  return sinceMs < heartbeatMs && ackedRound >= reads.round
}

function sendHeartbeat(state: RaftState, progress: Progress): void {
  assert(state.role === 'leader', 'only a leader has a heartbeat')
  const { id: from, term, log, reads } = state
  const { id: to, session, match } = progress
  // A member may not have what is committed yet, and must not be told that it has.
  const commit = Math.min(match, log.committed) as Index
  const readRound = reads.round
  state.send({ kind: 'heartbeat', from, to, term, session, commit, readRound })
  progress.heartbeatAtMs = state.nowMs
}

/** The account a response belongs to; undefined for an answer to an earlier session. */
export function respondent(
  state: RaftState,
  message: AppendAccepted | AppendRejected | HeartbeatResponse,
): Progress | undefined {
  if (state.role !== 'leader') return undefined
  const progress = state.progress.get(message.from)
  if (progress === undefined) {
    state.trace('debug', () => `${state.id} no progress available for ${message.from}`)
    return undefined
  }
  return progress.session === message.session ? progress : undefined
}

/** Whether this answer was news. */
export function acceptedBy(state: RaftState, progress: Progress, match: Index): boolean {
  assert(match <= state.log.lastIndex, 'nobody holds more of this term than its leader')
  progress.answered(state.nowMs)
  const news = progress.maybeUpdate(match)
  // A probing member that holds all it was asked about may follow again, news or not.
  if (!news && !(progress.match === match && progress.state === 'probe')) return false
  follow(state, progress, match)
  const own = progress.id === state.id
  const before = state.log.committed
  const committed = maybeCommit(state)
  if (!state.options.holdCommitNotice || (committed && changesMembers(state, before))) {
    if (committed) broadcastAppend(state)
    else if (!own && progress.canBumpCommit(state.log.committed)) sendAppend(state, progress)
  }
  // Room may have become free for several messages at once.
  if (!own) while (maybeSendAppend(state, progress, false));
  return true
}

/** Who does not know of a change of the members stands, and votes, by what is no longer so. */
function changesMembers({ log }: RaftState, after: Index): boolean {
  return log.slice((after + 1) as Index, log.committed).some(({ kind }) => kind === 'config')
}

/** What was held of `holdCommitNotice` and has not gone with an append since. */
export function tellCommit(state: RaftState): void {
  assert(state.role === 'leader', 'only a leader tells what is committed')
  for (const id of state.others) {
    const progress = state.progressOf(id)
    if (progress.canBumpCommit(state.log.committed)) sendAppend(state, progress)
  }
}

function follow(state: RaftState, progress: Progress, match: Index): void {
  if (progress.state === 'replicate') progress.inflights.freeUpTo(match)
  else if (progress.state === 'probe') progress.becomeReplicate()
  // Enough to go on from the log, whether or not it is all of the pending snapshot.
  else if (progress.match + 1 >= state.log.firstIndex) {
    state.trace(
      'debug',
      () =>
        `${state.id} recovered from needing snapshot, resumed sending replication messages ` +
        `to ${progress.id} [${describeProgress(progress.status())}]`,
    )
    progress.becomeProbe()
    progress.becomeReplicate()
  }
}

export function rejectedBy(state: RaftState, progress: Progress, message: AppendRejected): void {
  const { rejected, hintIndex, hintTerm } = message
  progress.answered(state.nowMs)
  state.trace(
    'debug',
    () =>
      `${state.id} received MsgAppResp(rejected, hint: (index ${hintIndex}, term ${hintTerm})) ` +
      `from ${progress.id} for index ${rejected}`,
  )
  // Skip the whole of any term that cannot agree, instead of stepping back entry by entry.
  const hint = hintTerm > 0 ? state.log.conflictByTerm(hintIndex, hintTerm).index : hintIndex
  if (!progress.maybeDecrease(rejected, hint)) return
  state.trace(
    'debug',
    () =>
      `${state.id} decreased progress of ${progress.id} to ` +
      `[${describeProgress(progress.status())}]`,
  )
  if (progress.state === 'replicate') progress.becomeProbe()
  sendAppend(state, progress)
}

/** The link works: one more append may go even to a member whose window is full or lost. */
export function heartbeatAnswered(state: RaftState, progress: Progress): void {
  assert(state.role === 'leader', 'only leaders are answered')
  progress.answered(state.nowMs)
  progress.resume()
  const behind = progress.match < state.log.lastIndex
  if (behind || progress.state === 'probe') sendAppend(state, progress)
}

export function snapshotSent(state: RaftState, id: MemberId, ok: boolean): void {
  const progress = state.role === 'leader' ? state.progress.get(id) : undefined
  // The member's own answer may have come first.
  if (progress?.state !== 'snapshot') return
  progress.snapshotEnded(ok)
  state.trace(
    'debug',
    () =>
      `${state.id} snapshot ${ok ? 'succeeded' : 'failed'}, resumed sending replication ` +
      `messages to ${id} [${describeProgress(progress.status())}]`,
  )
}

/** What was on its way is presumed lost. */
export function unreachable(state: RaftState, id: MemberId): void {
  const progress = state.role === 'leader' ? state.progress.get(id) : undefined
  if (progress === undefined || id === state.id) return
  if (progress.state === 'replicate') progress.becomeProbe()
  state.trace(
    'debug',
    () =>
      `${state.id} failed to send message to ${id} because it is unreachable ` +
      `[${describeProgress(progress.status())}]`,
  )
}

/**
 * Commits what a quorum holds. Only entries of the leader's own term are counted; older ones
 * are committed with them (thesis, 3.6.2, figure 3.7).
 */
export function maybeCommit(state: RaftState): boolean {
  const { log, term } = state
  const index = jointIndex(state.config, (id) => state.progress.get(id)?.match)
  assert(index <= log.lastIndex, 'a quorum of voters holds no more than the log')
  if (index <= log.committed || log.termAt(index as Index) !== term) return false
  const before = log.committed
  log.commitTo(index as Index)
  releaseUncommitted(state, before, index as Index, term)
  return true
}

function releaseUncommitted(state: RaftState, after: Index, upto: Index, term: Term): void {
  for (const entry of state.log.slice((after + 1) as Index, upto)) {
    if (entry.term === term) state.uncommittedBytes -= entryBytes(entry)
  }
  assert(state.uncommittedBytes >= 0, 'no byte is committed twice')
}
