/** Where messages arrive: first their term is judged, then they go to the part they concern. */
import { assert, assertNever } from '../../base/assert.ts'
import { noMember } from '../../base/ids.ts'
import { describeKind } from './describe.ts'
import {
  isLoyal,
  receiveVoteRequest,
  receiveVoteResponse,
  refuseOrGrant,
  stand,
} from './election.ts'
import { receiveFromLeader } from './following.ts'
import { acknowledgeRound, receiveReadRequest, receiveReadResponse } from './reads.ts'
import { acceptedBy, heartbeatAnswered, rejectedBy, respondent } from './replication.ts'
import { becomeFollower } from './roles.ts'
import type { RaftState } from './state.ts'
import { continueTransfer } from './transfer.ts'
import type {
  AppendMessage,
  HeartbeatMessage,
  HeartbeatResponse,
  Message,
  SnapshotMessage,
} from './types.ts'

/** A message from another member. One that is not for this member is let go. */
export function receive(state: RaftState, message: Message): void {
  // A machine that lost its disk answers at its old address under a new id.
  if (message.to !== state.id || message.from === state.id) return
  if (message.term > state.term) {
    if (isVoteRequest(message) && isLoyal(state, message)) return
    // A pre-vote is about a term that nobody has entered yet, so nobody enters it here.
    const preVote =
      message.kind === 'preVoteRequest' || (message.kind === 'preVoteResponse' && message.granted)
    if (!preVote) enterTerm(state, message)
  } else if (message.term < state.term) {
    receiveOld(state, message)
    return
  }
  dispatch(state, message)
}

const isVoteRequest = (message: Message) =>
  message.kind === 'voteRequest' || message.kind === 'preVoteRequest'

const isFromLeader = (
  message: Message,
): message is AppendMessage | HeartbeatMessage | SnapshotMessage =>
  message.kind === 'append' || message.kind === 'heartbeat' || message.kind === 'snapshot'

function enterTerm(state: RaftState, { kind, from, term }: Message): void {
  assert(term > state.term, 'terms never descend')
  state.trace(
    'info',
    () =>
      `${state.id} [term: ${state.term}] received a ${describeKind(kind)} message with higher ` +
      `term from ${from} [term: ${term}]`,
  )
  const leads = kind === 'append' || kind === 'heartbeat' || kind === 'snapshot'
  becomeFollower(state, term, leads ? from : noMember)
}

function receiveOld(state: RaftState, message: Message): void {
  const { id: from, term, options } = state
  assert(message.term < term, 'only old messages come here')
  if (
    (message.kind === 'append' || message.kind === 'heartbeat') &&
    (options.checkQuorum || options.preVote)
  ) {
    // With loyal voters, a member whose term ran ahead while it was cut off could neither be
    // elected nor follow. Telling the leader lets it step down and win a later term.
    state.sendOnceDurable({ kind: 'newerTerm', from, to: message.from, term })
  } else if (message.kind === 'preVoteRequest') {
    // Silence would leave an outdated pre-candidate asking for ever.
    refuseOrGrant(state, message, false)
  } else {
    state.trace(
      'info',
      () =>
        `${from} [term: ${term}] ignored a ${describeKind(message.kind)} message with lower ` +
        `term from ${message.from} [term: ${message.term}]`,
    )
  }
}

/** `message` is of this member's term, or is about a pre-vote. */
function dispatch(state: RaftState, message: Message): void {
  if (isFromLeader(message)) {
    assert(state.role !== 'leader', 'one term has one leader')
    if (state.role !== 'follower') becomeFollower(state, state.term, message.from)
    receiveFromLeader(state, message)
    return
  }
  switch (message.kind) {
    case 'voteRequest':
    case 'preVoteRequest':
      receiveVoteRequest(state, message)
      return
    case 'voteResponse':
    case 'preVoteResponse':
      receiveVoteResponse(state, message)
      return
    case 'timeoutNow':
      receiveTimeoutNow(state, message)
      return
    case 'readRequest':
      receiveReadRequest(state, message)
      return
    case 'readResponse':
      receiveReadResponse(state, message)
      return
    case 'newerTerm':
      // Its whole content is its term, which is this one by now.
      return
    case 'appendAccepted':
    case 'appendRejected':
    case 'heartbeatResponse':
      receiveResponse(state, message)
      return
    default:
      assertNever(message)
  }
}

function receiveResponse(
  state: RaftState,
  message: Extract<Message, { kind: 'appendAccepted' | 'appendRejected' | 'heartbeatResponse' }>,
): void {
  const progress = respondent(state, message)
  if (progress === undefined) return
  switch (message.kind) {
    case 'appendAccepted':
      if (acceptedBy(state, progress, message.match)) continueTransfer(state, message.from)
      return
    case 'appendRejected':
      rejectedBy(state, progress, message)
      return
    case 'heartbeatResponse':
      receiveHeartbeatResponse(state, message)
      return
    default:
      assertNever(message)
  }
}

function receiveHeartbeatResponse(state: RaftState, message: HeartbeatResponse): void {
  heartbeatAnswered(state, state.progressOf(message.from))
  acknowledgeRound(state, message)
}

function receiveTimeoutNow(state: RaftState, { from }: Message): void {
  if (state.role !== 'follower') return
  state.trace(
    'info',
    () =>
      `${state.id} [term ${state.term}] received MsgTimeoutNow from ${from} and starts an ` +
      'election to get leadership.',
  )
  stand(state, 'transfer')
}

/**
 * This member's own vote or acknowledgement, now that it is durable. If the term has moved on
 * meanwhile, nobody waits for it any more.
 */
export function receiveOwn(state: RaftState, message: Message): void {
  assert(message.from === state.id && message.to === state.id, 'only its own comes here')
  if (message.kind !== 'preVoteResponse' && message.term !== state.term) return
  dispatch(state, message)
}
