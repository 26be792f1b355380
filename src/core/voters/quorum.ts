/** The state of the vote in words, as `jangada quorum` prints it. */
import { majorityOf } from './view.ts'

export interface QuorumMember {
  readonly name: string
  /** It answered the leader lately; the leader answers itself. */
  readonly answers: boolean
  /** How long it has not answered; 0 when it does or when nobody knows. */
  readonly silentMs: number
  /** How old the newest write is that it does not hold yet; 0 when it holds all. */
  readonly behindMs: number
  /** `behindMs` may be larger. */
  readonly isAtLeast: boolean
}

export interface Quorum {
  readonly voters: number
  /** Votes needed to decide. */
  readonly majority: number
  /** Voters that answer. */
  readonly answering: number
  /** How many more may be lost before writes wait; negative when they wait already. */
  readonly canLose: number
  readonly words: string
}

/** Less than an operator would notice, or could do anything about. */
const noticeableMs = 500

/** Bounds: any number of voters from 0 (nobody votes: nothing is known). */
export function describeQuorum(
  voters: readonly QuorumMember[],
  standbys: readonly QuorumMember[],
  isJoint = false,
): Quorum {
  const majority = voters.length === 0 ? 0 : majorityOf(voters.length)
  const answering = voters.filter(({ answers }) => answers).length
  const canLose = voters.length === 0 ? 0 : answering - majority
  const notes = [...voters, ...standbys].flatMap(noteOf)
  const words = [
    `${counted(voters.length, answering)}, ${promise(canLose)}`,
    ...(standbys.length > 0
      ? [standbys.length === 1 ? '1 standby' : `${standbys.length} standbys`]
      : []),
    ...(isJoint ? ['a change of voters is under way'] : []),
    ...notes,
  ].join('; ')
  return { voters: voters.length, majority, answering, canLose, words }
}

function counted(voters: number, answering: number): string {
  const all = voters === 1 ? '1 voter' : `${voters} voters`
  if (answering === voters) return all
  return `${all}, ${answering === 1 ? '1 answers' : `${answering} answer`}`
}

function promise(canLose: number): string {
  if (canLose > 0) return `can lose ${canLose}`
  if (canLose === 0) return 'can lose none'
  return `writes wait for ${-canLose} more`
}

function noteOf({ name, answers, silentMs, behindMs, isAtLeast }: QuorumMember): string[] {
  if (!answers) {
    return [
      silentMs > 0
        ? `${name} has not answered for ${duration(silentMs)}`
        : `${name} does not answer`,
    ]
  }
  if (behindMs < noticeableMs) return []
  return [`${name} is ${isAtLeast ? 'at least ' : ''}${duration(behindMs)} behind`]
}

function duration(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}
