/**
 * Who should be voter: the next single step from what is to what should be, or none. Pure; the
 * leader asks again after each step and whenever something changes (ARCHITECTURE 4).
 *
 * The order matters: what is over is tidied away first, then who is gone or unwanted is replaced,
 * then the number is put right, then silent voters are replaced, then votes are spread better,
 * and last come standbys. A new voter is always a learner that has caught up, and no step leaves
 * a configuration in which a majority does not live.
 */
import { assert } from '../../base/assert.ts'
import type { MemberId } from '../../base/ids.ts'
import { compareCosts, type Cost, costOf, Standing } from './standing.ts'
import {
  largestOdd,
  majorityOf,
  standbysMax,
  type VoterMachine,
  type VotersStep,
  type VotersView,
} from './view.ts'

const none = (why = ''): VotersStep => ({ kind: 'none', why })

export function decideVoters(view: VotersView): VotersStep {
  assert(view.voters.length > 0, 'a leader has voters')
  if (view.outgoing.length > 0) return none('a change is under way')
  const standing = new Standing(view)
  return (
    forgetStray(view) ??
    dropLearner(standing) ??
    settleNumber(standing) ??
    replaceSilent(standing) ??
    improve(standing) ??
    holdStandbys(standing) ??
    none()
  )
}

function forgetStray({ members, voters, learners }: VotersView): VotersStep | undefined {
  const inConfig = new Set([...voters, ...learners])
  const stray = members.find(({ id }) => !inConfig.has(id))
  return stray === undefined ? undefined : { kind: 'forget', member: stray.id }
}

function dropLearner(standing: Standing): VotersStep | undefined {
  const spent = standing.view.learners.find((id) => standing.isSpent(id))
  if (spent === undefined) return undefined
  const why = `${standing.nameOf(spent)} ${whyOver(standing, spent)} and is a standby no more`
  return { kind: 'change', add: [], demote: [], remove: [spent], why }
}

function whyOver(standing: Standing, id: MemberId): string {
  if (standing.isUnwanted(id)) return 'is not to vote'
  if (standing.wasWiped(id)) return 'has lost its disk'
  if (standing.isGone(id)) return 'has left'
  return standing.machineOf(id)?.status === 'lost' ? 'is lost' : 'does not catch up'
}

/** From the voters there are to as many as should be, without those who must go. */
function settleNumber(standing: Standing): VotersStep | undefined {
  const { voters, target } = standing.view
  const leaving = voters.filter((id) => standing.isGone(id) || standing.isUnwanted(id))
  const kept = voters.filter((id) => !leaving.includes(id))
  const spare = standing.learners.length + standing.hopefuls.length
  const want = largestOdd(Math.min(target, kept.length + spare))
  if (kept.length >= want) {
    if (leaving.length === 0 && kept.length === want) return undefined
    return shrink(standing, leaving, kept, want)
  }
  const canAdd = standing.learners.length + standing.candidates.length > 0
  if (voters.length % 2 === 0 && !canAdd) {
    // An even number can lose no more than one fewer, and needs one more to decide.
    const first = leaving.slice(0, 1)
    return shrink(standing, first, without(voters, ...first), voters.length - 1)
  }
  return leaving.length > 0 ? replace(standing, leaving, kept, want) : grow(standing, want)
}

/** Nobody needs to be added: who must go goes, and who is too many becomes a standby. */
function shrink(
  standing: Standing,
  leaving: readonly MemberId[],
  kept: readonly MemberId[],
  want: number,
): VotersStep {
  const stay = [...kept]
  const demote: MemberId[] = []
  while (stay.length > want) {
    const out = cheapestToLose(standing, stay)
    stay.splice(stay.indexOf(out), 1)
    demote.push(out)
  }
  const why =
    leaving.length > 0
      ? `${standing.namesOf(leaving)} ${whyOver(standing, leaving[0] as MemberId)}; ${number(want)}`
      : `${number(want)} instead of ${kept.length}`
  return change(standing, { add: [], demote, remove: leaving, why })
}

/** One for one, so that the number stays what it is; the dead before the unwanted. */
function replace(
  standing: Standing,
  leaving: readonly MemberId[],
  kept: readonly MemberId[],
  want: number,
): VotersStep {
  const { voters } = standing.view
  const [first] = leaving.toSorted((a, b) => Number(standing.lives(a)) - Number(standing.lives(b)))
  const out = first as MemberId
  const reason = `${standing.nameOf(out)} ${whyOver(standing, out)}`
  const learner = bestLearner(standing, kept)
  if (learner === undefined) return begin(standing, kept, reason)
  if (!standing.isReady(learner)) {
    // Another may be quicker, and one that dies as it catches up holds nobody up.
    return waitFor(standing, learner)
  }
  const extra = Math.max(0, voters.length - want)
  const why = `${reason}; ${standing.nameOf(learner)} votes in its place`
  const add = [learner]
  // As many as may go at once; the leader last, because it has to hand over first.
  const others = leaving.filter((id) => id !== out)
  others.sort((a, b) => Number(a === standing.view.self) - Number(b === standing.view.self))
  for (let more = extra; more > 0; more -= 2) {
    const remove = [out, ...others.slice(0, more)]
    const next = [...without(voters, ...remove), ...add]
    if (!remove.includes(standing.view.self) && canDecide(standing, next)) {
      return change(standing, { add, demote: [], remove, why })
    }
  }
  return change(standing, { add, demote: [], remove: [out], why })
}

/** By two, because an even number of voters can lose no more than one fewer. */
function grow(standing: Standing, want: number): VotersStep | undefined {
  const { voters } = standing.view
  const missing = want - voters.length
  const ready = byWorth(standing, standing.learners, voters).filter((id) => standing.isReady(id))
  const atOnce = voters.length % 2 === 0 ? 1 : 2
  if (ready.length >= atOnce) {
    const add = ready.slice(0, atOnce)
    const why = `${standing.namesOf(add)} make it ${number(voters.length + atOnce)}`
    return change(standing, { add, demote: [], remove: [], why })
  }
  if (standing.learners.length < missing) {
    const already = [...voters, ...standing.learners]
    const step = begin(standing, already, `${number(want)} can be held`)
    if (step.kind === 'addLearner') return step
  }
  const late = standing.learners.find((id) => !standing.isReady(id))
  return late === undefined ? undefined : waitFor(standing, late)
}

function replaceSilent(standing: Standing): VotersStep | undefined {
  const { voters } = standing.view
  const out = voters.find((id) => standing.isSilent(id))
  if (out === undefined) return undefined
  const stay = voters.filter((id) => id !== out)
  const learner = bestLearner(standing, stay)
  const reason = `${standing.nameOf(out)} has been silent for ten minutes`
  if (learner === undefined) {
    const step = begin(standing, stay, reason)
    return step.kind === 'addLearner' ? step : undefined
  }
  if (!standing.isReady(learner)) return waitFor(standing, learner)
  const why = `${reason}; ${standing.nameOf(learner)} votes in its place`
  return change(standing, { add: [learner], demote: [], remove: [out], why })
}

/** One swap that leaves people's wishes better met, or the votes safer. */
function improve(standing: Standing): VotersStep | undefined {
  const { view } = standing
  const { voters } = view
  const now = costOf(machinesOf(standing, voters), view.machines)
  let best: { cost: Cost; out: MemberId; machine: VoterMachine } | undefined
  const incoming = [...machinesOf(standing, standing.learners), ...standing.candidates]
  for (const out of voters.toReversed()) {
    if (!standing.lives(out)) continue
    const stay = machinesOf(standing, without(voters, out))
    for (const machine of incoming) {
      const cost = costOf([...stay, machine], view.machines)
      const isBetter = compareCosts(cost, now) < 0
      const isBest = best === undefined || compareCosts(cost, best.cost) < 0
      // The leader goes only where nobody else would do.
      const betterThanLeader = best?.out === view.self && compareCosts(cost, best.cost) === 0
      if (isBetter && (isBest || betterThanLeader)) best = { cost, out, machine }
    }
  }
  if (best === undefined) return undefined
  const { out, machine, cost } = best
  const learner = standing.learners.find((id) => standing.machineOf(id)?.id === machine.id)
  const reason =
    cost[0] < now[0]
      ? `${machine.name} is to vote`
      : cost[1] < now[1]
        ? `${machine.name} has a disk`
        : `${machine.name} does not fail together with other voters`
  if (learner === undefined) return { kind: 'addLearner', machine: machine.id, why: reason }
  if (!standing.isReady(learner)) return waitFor(standing, learner)
  const why = `${reason}; it votes in place of ${standing.nameOf(out)}`
  return change(standing, { add: [learner], demote: [out], remove: [], why })
}

function holdStandbys(standing: Standing): VotersStep | undefined {
  const { voters, target } = standing.view
  const { learners } = standing
  if (learners.length > standbysMax) {
    const worst = byWorth(standing, learners, voters).at(-1) as MemberId
    const why = `${standing.nameOf(worst)} is one standby too many`
    return { kind: 'change', add: [], demote: [], remove: [worst], why }
  }
  if (learners.length < standbysMax) {
    const step = begin(standing, [...voters, ...learners], 'a standby is ready to vote')
    if (step.kind === 'addLearner') return step
  }
  return voters.length < target
    ? none(`${number(target)} asked for: too few machines may vote`)
    : undefined
}

interface Change {
  readonly add: readonly MemberId[]
  readonly demote: readonly MemberId[]
  readonly remove: readonly MemberId[]
  readonly why: string
}

/** The leader never votes itself out, and a majority of the voters to come lives. */
function change(standing: Standing, { add, demote, remove, why }: Change): VotersStep {
  const { voters, self } = standing.view
  const out = [...demote, ...remove]
  if (out.includes(self)) {
    const to = successorAmong(standing, without(voters, ...out))
    if (to !== undefined) return { kind: 'transfer', to, why }
    // Nobody else to lead yet: they come first, and the leader goes with the next step.
    if (add.length === 0) return none(`nobody else can lead, so ${standing.nameOf(self)} stays`)
    return { kind: 'change', add, demote: [], remove: [], why }
  }
  const next = [...without(voters, ...out), ...add]
  if (!canDecide(standing, next)) {
    return none(`too few of the voters to come are there to decide: ${standing.namesOf(next)}`)
  }
  return { kind: 'change', add, demote, remove, why }
}

const canDecide = (standing: Standing, voters: readonly MemberId[]): boolean =>
  voters.filter((id) => standing.lives(id)).length >= majorityOf(voters.length)

/** Who would miss the least between two leaders. */
function successorAmong(standing: Standing, ids: readonly MemberId[]): MemberId | undefined {
  const match = (id: MemberId): number => standing.member(id)?.match ?? 0
  return ids
    .filter((id) => standing.isReady(id))
    .toSorted((a, b) => match(b) - match(a) || a - b)[0]
}

function begin(standing: Standing, beside: readonly MemberId[], why: string): VotersStep {
  const [machine] = standing.candidates.toSorted(
    (a, b) => compareWorth(standing, beside, a, b) || (a.id < b.id ? -1 : 1),
  )
  if (machine === undefined) return none(`${why}, and no other machine may vote`)
  return { kind: 'addLearner', machine: machine.id, why }
}

const waitFor = (standing: Standing, learner: MemberId): VotersStep =>
  none(`${standing.nameOf(learner)} still has to catch up`)

/** The one that can vote soonest; among equals the one that is worth most beside `stay`. */
function bestLearner(standing: Standing, stay: readonly MemberId[]): MemberId | undefined {
  const ordered = byWorth(standing, standing.learners, stay)
  return ordered.find((id) => standing.isReady(id)) ?? ordered[0]
}

function byWorth(
  standing: Standing,
  learners: readonly MemberId[],
  beside: readonly MemberId[],
): MemberId[] {
  return learners.toSorted((a, b) => {
    const [one, other] = [standing.machineOf(a), standing.machineOf(b)]
    if (one === undefined || other === undefined) return a - b
    return compareWorth(standing, beside, one, other) || a - b
  })
}

function compareWorth(
  standing: Standing,
  beside: readonly MemberId[],
  a: VoterMachine,
  b: VoterMachine,
): number {
  const around = machinesOf(standing, beside)
  const { machines } = standing.view
  return compareCosts(costOf([...around, a], machines), costOf([...around, b], machines))
}

/** The dead first, then whose leaving costs least; of equals the youngest, the leader last. */
function cheapestToLose(standing: Standing, voters: readonly MemberId[]): MemberId {
  const { machines, self } = standing.view
  const cost = (id: MemberId): Cost => costOf(machinesOf(standing, without(voters, id)), machines)
  const [out] = voters.toSorted(
    (a, b) =>
      Number(standing.lives(a)) - Number(standing.lives(b)) ||
      compareCosts(cost(a), cost(b)) ||
      Number(a === self) - Number(b === self) ||
      b - a,
  )
  return out as MemberId
}

const without = (ids: readonly MemberId[], ...out: readonly MemberId[]): MemberId[] =>
  ids.filter((id) => !out.includes(id))

const machinesOf = (standing: Standing, ids: readonly MemberId[]): VoterMachine[] =>
  ids.flatMap((id) => standing.machineOf(id) ?? [])

const number = (voters: number): string => (voters === 1 ? '1 voter' : `${voters} voters`)
