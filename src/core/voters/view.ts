/** What the leader knows when it asks who should vote, and the step that it is told to take. */
import type { MachineId, MemberId } from '../../base/ids.ts'

/** What people want of a machine: `auto` leaves it to the cluster. */
export type VotingWish = 'auto' | 'voter' | 'client'

export interface VoterMachine {
  readonly id: MachineId
  /** For people. */
  readonly name: string
  readonly status: 'ready' | 'lost' | 'left'
  /** Since when the caller has seen it in that status, on the caller's monotonic clock. */
  readonly sinceMs: number
  /** It may vote: its ceiling, its disk and its version allow it. */
  readonly eligible: boolean
  /** It was asked a moment ago, or failed: not now, but it is still counted on. */
  readonly avoided: boolean
  /** Its state directory survives a restart. */
  readonly durable: boolean
  /** What it shares with the machines that fail together with it; its own id when nothing is known. */
  readonly domain: string
  readonly wish: VotingWish
  /** The member it said it runs, 0 for none; undefined while it has not said. */
  readonly runs: number | undefined
}

export interface VoterMember {
  readonly id: MemberId
  readonly machine: MachineId
  /** Its log is close enough to the leader's to vote without holding the others up. */
  readonly caughtUp: boolean
  /** It is behind and has taken nothing for a while, though its machine lives. */
  readonly stalled: boolean
  /** The last index that it is known to hold; 0 when nothing is known. */
  readonly match: number
}

export interface VotersView {
  readonly nowMs: number
  /** The leader itself. */
  readonly self: MemberId
  /** How many voters to hold: 1, 3, 5 or 7. */
  readonly target: number
  readonly voters: readonly MemberId[]
  readonly outgoing: readonly MemberId[]
  readonly learners: readonly MemberId[]
  /** From the records; those not in the configuration too. */
  readonly members: readonly VoterMember[]
  readonly machines: readonly VoterMachine[]
}

export type VotersStep =
  /** `why` is empty when all is as it should be. */
  | { readonly kind: 'none'; readonly why: string }
  /** Begin a new member on this machine, as learner. */
  | { readonly kind: 'addLearner'; readonly machine: MachineId; readonly why: string }
  /** One change: `add` become voters, `demote` become standbys, `remove` leave. */
  | {
      readonly kind: 'change'
      readonly add: readonly MemberId[]
      readonly demote: readonly MemberId[]
      readonly remove: readonly MemberId[]
      readonly why: string
    }
  /** The leader is to go: another leads first. */
  | { readonly kind: 'transfer'; readonly to: MemberId; readonly why: string }
  /** A record whose member is not in the configuration. */
  | { readonly kind: 'forget'; readonly member: MemberId }

/** A voter whose machine is lost this long is replaced, if another machine can take its place. */
export const voterReplaceAfterMs = 600_000
/** A learner has no vote to lose: it is given up sooner, and begins anew when it is back. */
export const learnerReplaceAfterMs = 10_000
/** Learners kept ready to vote, beside those that a change under way needs. */
export const standbysMax = 2

/** How many votes decide. */
export const majorityOf = (voters: number): number => Math.floor(voters / 2) + 1

/** How many voters may be away while the others can still decide. */
export const mayLose = (voters: number): number => (voters === 0 ? 0 : voters - majorityOf(voters))

/** Of so many machines, so many may vote: an even number can lose no more than one fewer. */
export const largestOdd = (n: number): number => (n % 2 === 1 ? n : Math.max(1, n - 1))
