/**
 * Elections: standing, asking, voting and counting.
 *
 * Source: Ongaro's thesis, 3.4, 4.2.3 (loyalty to a live leader), 9.6 (pre-vote).
 */
import { assert } from '../../base/assert.ts'
import { noMember, type Index, type MemberId, type Term } from '../../base/ids.ts'
import { describeKind } from './describe.ts'
import { electorateIds, jointVote } from './quorum.ts'
import { broadcastAppend } from './replication.ts'
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts'
import type { RaftState } from './state.ts'
import type { PreVoteRequest, PreVoteResponse, VoteRequest, VoteResponse } from './types.ts'

/** `transfer`: the leader asked for it, so no pre-vote, and the voters' loyalty does not count. */
export type Campaign = 'preElection' | 'election' | 'transfer'

/** Stands for election, if this member may. */
export function stand(state: RaftState, campaign: Campaign): void {
  const { id } = state
  if (state.role === 'leader') {
    state.trace('debug', () => `${id} ignoring MsgHup because already leader`)
    return
  }
  if (!state.promotable) {
    state.trace('warn', () => `${id} is unpromotable and can not campaign`)
    return
  }
  // A change of membership that is committed but not applied here may have removed this member,
  // or made majorities of which it knows nothing.
  if (hasUnappliedConfig(state)) {
    state.trace(
      'warn',
      () =>
        `${id} cannot campaign at term ${state.term} since there are still pending ` +
        'configuration changes to apply',
    )
    return
  }
  state.trace('info', () => `${id} is starting a new election at term ${state.term}`)
  run(state, campaign)
}

function hasUnappliedConfig({ log }: RaftState): boolean {
  // A snapshot being installed holds the changes up to its end.
  const from = Math.max(log.applied + 1, log.firstIndex) as Index
  if (from > log.committed) return false
  return log.slice(from, log.committed).some((entry) => entry.kind === 'config')
}

function run(state: RaftState, campaign: Campaign): void {
  if (campaign === 'preElection') becomePreCandidate(state)
  else becomeCandidate(state)
  const { id, log } = state
  const pre = campaign === 'preElection'
  const term = (pre ? state.term + 1 : state.term) as Term
  assert(pre || state.vote === id, 'a candidate votes for itself')
  for (const to of electorateIds(state.config)) {
    if (to === id) {
      // Its own vote counts once it is durable, like any other.
      const kind = pre ? 'preVoteResponse' : 'voteResponse'
      state.sendOnceDurable({ kind, from: id, to, term, granted: true, ...committed(state) })
    } else ask(state, to, term, campaign)
  }
  assert(log.lastIndex >= log.committed, 'what is committed is never left out of a campaign')
}

/** Asks once more whoever has not answered this pre-candidate; an answer given stands. */
export function repeatPreVote(state: RaftState): void {
  assert(state.role === 'preCandidate', 'only a pre-candidate asks without a new term')
  for (const to of electorateIds(state.config)) {
    if (to === state.id || state.votes.has(to)) continue
    ask(state, to, (state.term + 1) as Term, 'preElection')
  }
}

function committed({ log }: RaftState): { readonly commit: Index; readonly commitTerm: Term } {
  const commitTerm = log.termAt(log.committed)
  assert(commitTerm !== undefined, 'the term of the commit index is known')
  return { commit: log.committed, commitTerm }
}

function ask(state: RaftState, to: MemberId, term: Term, campaign: Campaign): void {
  const { id: from } = state
  const { lastIndex, lastTerm } = state.log
  const place = committed(state)
  state.trace(
    'info',
    () =>
      `${from} [logterm: ${lastTerm}, index: ${lastIndex}] sent ` +
      `${campaign === 'preElection' ? 'MsgPreVote' : 'MsgVote'} request to ${to} ` +
      `at term ${state.term}`,
  )
  if (campaign === 'preElection') {
    state.send({ kind: 'preVoteRequest', from, to, term, lastIndex, lastTerm, ...place })
  } else {
    const transfer = campaign === 'transfer'
    state.send({ kind: 'voteRequest', from, to, term, lastIndex, lastTerm, transfer, ...place })
  }
}

/**
 * Whether a request for a later term is not even looked at: this member has heard from a leader
 * just now, so that one who hears nothing cannot depose it.
 */
export function isLoyal(state: RaftState, message: VoteRequest | PreVoteRequest): boolean {
  if (message.kind === 'voteRequest' && message.transfer) return false
  // A leader hears itself: it is loyal from one check of its quorum to the next.
  const loyalForMs = state.role === 'leader' ? state.electionTimeoutMs : state.loyaltyMs
  const loyal =
    state.options.checkQuorum && state.leader !== noMember && state.electionElapsedMs < loyalForMs
  if (loyal) {
    const remaining = loyalForMs - state.electionElapsedMs
    state.trace(
      'info',
      () =>
        `${describeVoter(state)} ignored ${describeRequest(message)} at term ${state.term}: ` +
        `lease is not expired (remaining ticks: ${remaining})`,
    )
  }
  return loyal
}

const describeVoter = ({ id, log, vote }: RaftState): string =>
  `${id} [logterm: ${log.lastTerm}, index: ${log.lastIndex}, vote: ${vote}]`

const describeRequest = (message: VoteRequest | PreVoteRequest): string =>
  `${describeKind(message.kind)} from ${message.from} ` +
  `[logterm: ${message.lastTerm}, index: ${message.lastIndex}]`

/**
 * Whoever is asked answers, member of the configuration or not: a learner just promoted may not
 * know yet that its vote is needed. Who is asked is for the candidate's configuration to say.
 */
export function receiveVoteRequest(state: RaftState, message: VoteRequest | PreVoteRequest): void {
  const pre = message.kind === 'preVoteRequest'
  assert(pre || message.term === state.term, 'a vote is given in its own term only')
  if (state.role !== 'leader') learnCommit(state, message)
  const free =
    state.vote === message.from ||
    (state.vote === noMember && state.leader === noMember) ||
    (pre && message.term > state.term)
  const granted = free && state.log.isUpToDate(message.lastIndex, message.lastTerm)
  state.trace(
    'info',
    () =>
      `${describeVoter(state)} ` +
      (granted
        ? `cast ${describeKind(message.kind)} for ${message.from} ` +
          `[logterm: ${message.lastTerm}, index: ${message.lastIndex}]`
        : `rejected ${describeRequest(message)}`) +
      ` at term ${state.term}`,
  )
  if (granted && !pre) {
    state.restartElectionTimer()
    state.vote = message.from
  }
  refuseOrGrant(state, message, granted)
}

/**
 * The sender holds (`commit`, `commitTerm`) for committed; if this log has that very entry, it
 * and all before it are committed here too. A candidate that so learns of a change of membership
 * gives up: it was asking by a configuration that is no longer in force.
 */
function learnCommit(state: RaftState, message: { commit: Index; commitTerm: Term }): void {
  const { log } = state
  const { commit, commitTerm } = message
  if (commit <= log.committed || !log.matches(commit, commitTerm)) return
  assert(state.role !== 'leader', 'nobody knows more to be committed than the leader of its term')
  log.commitTo(commit)
  const standing = state.role === 'candidate' || state.role === 'preCandidate'
  if (standing && hasUnappliedConfig(state)) becomeFollower(state, state.term, noMember)
}

/** A grant is for the term asked about; a refusal tells the refuser's own. */
export function refuseOrGrant(
  state: RaftState,
  message: VoteRequest | PreVoteRequest,
  granted: boolean,
): void {
  const kind = message.kind === 'preVoteRequest' ? 'preVoteResponse' : 'voteResponse'
  const term = granted ? message.term : state.term
  state.sendOnceDurable({
    kind,
    from: state.id,
    to: message.from,
    term,
    granted,
    ...committed(state),
  })
}

/** An answer to this member's own campaign; answers to earlier ones are let go. */
export function receiveVoteResponse(
  state: RaftState,
  message: VoteResponse | PreVoteResponse,
): void {
  const pre = message.kind === 'preVoteResponse'
  if (state.role !== 'leader') learnCommit(state, message)
  if (state.role !== (pre ? 'preCandidate' : 'candidate')) return
  if (pre && message.granted && message.term !== state.term + 1) return
  count(state, message)
  switch (jointVote(state.config, state.votes)) {
    case 'won':
      if (pre) run(state, 'election')
      // Others' votes may be a majority. But a leader that forgets its term and vote with its
      // power could lead the same term again, with other entries under the same numbers.
      else if (state.votes.get(state.id) === true) {
        becomeLeader(state)
        broadcastAppend(state)
      }
      return
    case 'lost':
      // Nobody else's term is known: a refusal with a later one has been dealt with before.
      becomeFollower(state, state.term, noMember)
      return
    default:
  }
}

function count(state: RaftState, { kind, from, granted }: VoteResponse | PreVoteResponse): void {
  const { id, term, votes } = state
  const name = describeKind(kind)
  state.trace(
    'info',
    () => `${id} received ${name}${granted ? '' : ' rejection'} from ${from} at term ${term}`,
  )
  // A repeated answer does not change the first.
  if (!votes.has(from)) votes.set(from, granted)
  state.trace('info', () => {
    const counted = electorateIds(state.config).filter((voter) => votes.has(voter))
    const won = counted.filter((voter) => votes.get(voter)).length
    return `${id} has received ${won} ${name} votes and ${counted.length - won} vote rejections`
  })
}
