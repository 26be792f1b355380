/**
 * Who should be voter: the next single step from what is to what should be, or none. Pure; the
 * leader asks again after each step and whenever something changes (ARCHITECTURE 4).
 */
import { assert } from '../../base/assert.ts'
import type { MachineId, MemberId } from '../../base/ids.ts'

/** A voter whose machine is lost this long is replaced, if another machine can take its place. */
export const voterReplaceAfterMs = 600_000

export interface VoterMachine {
  readonly id: MachineId
  readonly status: 'ready' | 'lost' | 'left'
  /** Since when the caller has seen it in that status, on the caller's monotonic clock. */
  readonly sinceMs: number
  /** It may vote: its ceiling allows it and its state directory survives a restart. */
  readonly eligible: boolean
  /** The member it said it runs, 0 for none; undefined while it has not said. */
  readonly runs: number | undefined
}

export interface VoterMember {
  readonly id: MemberId
  readonly machine: MachineId
  /** Its log is close enough to the leader's to vote without holding the others up. */
  readonly caughtUp: boolean
}

export interface VotersView {
  readonly nowMs: number
  /** The leader itself. */
  readonly self: MemberId
  readonly target: number
  readonly voters: readonly MemberId[]
  readonly outgoing: readonly MemberId[]
  readonly learners: readonly MemberId[]
  /** From the records; those not in the configuration too. */
  readonly members: readonly VoterMember[]
  readonly machines: readonly VoterMachine[]
}

export type VotersStep =
  | { readonly kind: 'none' }
  /** Begin a new member on this machine, as learner. */
  | { readonly kind: 'addLearner'; readonly machine: MachineId }
  /** One joint change: `add` become voters, `remove` leave. */
  | {
      readonly kind: 'change'
      readonly add: readonly MemberId[]
      readonly remove: readonly MemberId[]
    }
  /** A record whose member is not in the configuration. */
  | { readonly kind: 'forget'; readonly member: MemberId }

const none: VotersStep = { kind: 'none' }

export function decideVoters(view: VotersView): VotersStep {
  assert(view.voters.length > 0, 'a leader has voters')
  if (view.outgoing.length > 0) return none
  const inConfig = new Set([...view.voters, ...view.learners])
  const stray = view.members.find(({ id }) => !inConfig.has(id))
  if (stray !== undefined) return { kind: 'forget', member: stray.id }
  const machineOf = new Map(view.members.map((member) => [member.id, member.machine]))
  const candidates = candidatesOf(view)
  const lives = (id: MemberId): boolean =>
    view.machines.some((each) => each.id === machineOf.get(id) && each.status === 'ready')
  const replaceable = candidates.length > 0 || view.learners.some(lives)
  const gone = (id: MemberId): boolean => isGone(view, id, machineOf.get(id), replaceable)
  const deadLearners = view.learners.filter(gone)
  if (deadLearners.length > 0) return { kind: 'change', add: [], remove: deadLearners }
  const goneVoters = view.voters.filter(gone)
  const healthy = view.voters.length - goneVoters.length
  const reachable = healthy + view.learners.length + candidates.length
  const want = largestOdd(Math.min(view.target, reachable))
  if (healthy > view.target) return { kind: 'change', add: [], remove: surplus(view, gone) }
  const needed = Math.max(0, want - healthy)
  if (view.learners.length < needed) {
    const [machine] = candidates
    return machine === undefined ? none : { kind: 'addLearner', machine }
  }
  const caughtUp = new Set(view.members.filter((member) => member.caughtUp).map(({ id }) => id))
  const ready = view.learners.filter((id) => caughtUp.has(id)).slice(0, needed)
  if (needed === 0 || ready.length < needed) return none
  return { kind: 'change', add: ready, remove: goneVoters }
}

/** Machines without a member that could have one, in the order in which they are asked. */
function candidatesOf(view: VotersView): MachineId[] {
  const taken = new Set(
    view.members.filter(({ id }) => !wasWiped(view, id)).map(({ machine }) => machine),
  )
  return view.machines
    .filter(({ id, status, eligible }) => status === 'ready' && eligible && !taken.has(id))
    .map(({ id }) => id)
    .toSorted()
}

/** The machine lives and says that it does not run this member: its disk was lost. */
function wasWiped(view: VotersView, id: MemberId): boolean {
  const machineId = view.members.find((member) => member.id === id)?.machine
  const machine = view.machines.find((each) => each.id === machineId)
  return machine?.status === 'ready' && machine.runs !== undefined && machine.runs !== id
}

function isGone(
  view: VotersView,
  id: MemberId,
  machineId: MachineId | undefined,
  replaceable: boolean,
): boolean {
  if (id === view.self) return false
  const machine = view.machines.find((each) => each.id === machineId)
  if (machine === undefined || machine.status === 'left') return true
  if (wasWiped(view, id)) return true
  const silentMs = view.nowMs - machine.sinceMs
  return machine.status === 'lost' && replaceable && silentMs >= voterReplaceAfterMs
}

/** Two leave at a time, so that the number stays odd; the youngest first, never the leader. */
function surplus(view: VotersView, gone: (id: MemberId) => boolean): MemberId[] {
  const leaving = view.voters.filter((id) => id !== view.self && !gone(id)).toSorted(byAge)
  return [...view.voters.filter(gone), ...leaving.slice(-(view.voters.length - view.target))]
}

const byAge = (a: MemberId, b: MemberId): number => a - b

const largestOdd = (n: number): number => (n % 2 === 1 ? n : Math.max(1, n - 1))
