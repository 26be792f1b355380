/** The errors a proposal or a read can end in, each with what it means for the caller. */
import { assertNever } from '../../base/assert.ts'
import { describeError, isJangadaError, JangadaError } from '../../base/errors.ts'
import type { DropReason } from '../../core/raft/types.ts'
import { faultOfCommand } from '../../core/store/check.ts'
import type { Command, RefusalReason } from '../../core/store/types.ts'
import { spoils } from '../wal/errors.ts'
import type { Failed } from './member-options.ts'

export const noQuorum = (): JangadaError =>
  new JangadaError('JGD_NO_QUORUM', 'no leader with a quorum of voters is known', {
    hint: 'see "jangada status": a majority of the voters must be up and reach each other',
  })

export const outcomeUnknown = (why: string): JangadaError =>
  new JangadaError('JGD_OUTCOME_UNKNOWN', `${why}; the write may or may not have happened`, {
    hint: 'read before writing again',
  })

/**
 * Of a write on its way: an error without a code, or with the one that says as little, may come
 * after the write was in a log. Only a coded refusal says that nothing happened.
 */
export async function knownOrUnknown<T>(written: Promise<T>): Promise<T> {
  try {
    return await written
  } catch (error) {
    if (isJangadaError(error) && error.code !== 'JGD_INTERNAL') throw error
    throw outcomeUnknown(`the leader failed: ${describeError(error)}`)
  }
}

export const stopping = (): JangadaError =>
  new JangadaError('JGD_SHUTTING_DOWN', 'this node is stopping')

/** Of a command that may not enter the log, whoever made it: no member could apply it. */
export function unfit(command: Command): JangadaError | undefined {
  const fault = faultOfCommand(command)
  return fault === undefined ? undefined : new JangadaError('JGD_BAD_REQUEST', fault)
}

/** Nothing happened: the proposal never entered a log, or was overwritten there. */
export function dropped(reason: DropReason): JangadaError {
  switch (reason) {
    case 'notLeader':
    case 'transferring':
    case 'removed':
      return new JangadaError('JGD_NOT_LEADER', 'this member does not lead')
    case 'uncommittedLimit':
      return new JangadaError('JGD_OVERLOADED', 'writes come faster than they can be committed')
    case 'tooLarge':
      return new JangadaError('JGD_TOO_LARGE', 'the transaction is longer than a log entry may be')
    case 'memberChangePending':
    case 'memberChangeInvalid':
      return new JangadaError(
        'JGD_MEMBER_CHANGE_PENDING',
        `the member change is refused: ${reason}`,
      )
    default:
      return assertNever(reason)
  }
}

export function refused(reason: RefusalReason): JangadaError {
  switch (reason) {
    case 'staleTerm':
      return new JangadaError('JGD_STALE_TERM', 'decided under a leader that is no longer')
    case 'leaseUnknown':
      return new JangadaError('JGD_LEASE_UNKNOWN', 'the lease is unknown or has ended')
    case 'leaseExists':
      return new JangadaError('JGD_CONFLICT', 'a lease with this id exists already')
    case 'compacted':
      return new JangadaError('JGD_COMPACTED', 'the revision asked for is no longer kept')
    case 'futureRevision':
      return new JangadaError('JGD_FUTURE_REVISION', 'the revision asked for is yet to come')
    case 'tooManyKeys':
      return new JangadaError('JGD_TOO_LARGE', 'one transaction would delete too many keys')
    case 'malformed':
      return new JangadaError('JGD_BAD_REQUEST', 'the transaction is malformed')
    default:
      return assertNever(reason)
  }
}

/** For a person, why a member cannot go on after `error` of its log; and what of it has failed. */
export function failureOf(what: string, error: unknown): readonly [reason: string, what: Failed] {
  const hint = isJangadaError(error) ? error.hint : undefined
  const reason = `${what}: ${describeError(error)}`
  return [hint === undefined ? reason : `${reason}; ${hint}`, failedBy(error)]
}

function failedBy(error: unknown): Failed {
  if (spoils(error)) return 'log'
  return isJangadaError(error, 'JGD_WAL_VERSION') ? 'state' : 'passing'
}
