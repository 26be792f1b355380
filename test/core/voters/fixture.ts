/** Machines and members by small numbers, and a group that carries out what is decided. */
import { assertNever } from '../../../src/base/assert.ts'
import { machineId, type MemberId, memberId } from '../../../src/base/ids.ts'
import { decideVoters } from '../../../src/core/voters/decide.ts'
import type {
  VoterMachine,
  VoterMember,
  VotersStep,
  VotersView,
} from '../../../src/core/voters/view.ts'

export const machine = (n: number, extra: Partial<VoterMachine> = {}): VoterMachine => {
  const id = machineId(n.toString(16).padStart(32, '0'))
  return {
    id,
    name: `n${n}`,
    status: 'ready',
    sinceMs: 0,
    eligible: true,
    avoided: false,
    durable: true,
    domain: id,
    wish: 'auto',
    runs: undefined,
    ...extra,
  }
}

export const member = (id: number, on: number, extra: Partial<VoterMember> = {}): VoterMember => ({
  id: memberId(id),
  machine: machine(on).id,
  caughtUp: true,
  stalled: false,
  match: 100,
  ...extra,
})

export const ids = (...list: readonly number[]): MemberId[] => list.map((id) => memberId(id))

/** Member n on machine n for each of `voters`, of which the first leads. */
export function viewOf(
  voters: readonly number[],
  machines: readonly VoterMachine[],
  extra: Partial<VotersView> = {},
): VotersView {
  return {
    nowMs: 1000,
    self: memberId(voters[0] as number),
    target: 3,
    voters: ids(...voters),
    outgoing: [],
    learners: [],
    members: voters.map((n) => member(n, n)),
    machines,
    ...extra,
  }
}

/** What becomes of `view` when the step is taken and everything about it goes well. */
export function taken(view: VotersView, step: VotersStep, nextId: number): VotersView {
  switch (step.kind) {
    case 'none':
      return view
    case 'forget':
      return { ...view, members: view.members.filter(({ id }) => id !== step.member) }
    case 'transfer':
      return { ...view, self: step.to }
    case 'addLearner': {
      const id = memberId(nextId)
      const at = { id, machine: step.machine, caughtUp: true, stalled: false, match: 100 }
      return {
        ...view,
        learners: [...view.learners, id],
        members: [...view.members, at],
        machines: view.machines.map((each) =>
          each.id === step.machine ? { ...each, runs: undefined } : each,
        ),
      }
    }
    case 'change': {
      const out = [...step.demote, ...step.remove]
      const voters = [...view.voters.filter((id) => !out.includes(id)), ...step.add]
      const learners = [
        ...view.learners.filter((id) => !step.add.includes(id) && !step.remove.includes(id)),
        ...step.demote,
      ]
      return { ...view, voters: voters.toSorted((a, b) => a - b), learners }
    }
    default:
      return assertNever(step)
  }
}

/** Takes steps until there is nothing to do. Throws when that takes longer than it ever should. */
export function settle(
  from: VotersView,
  onStep: (before: VotersView, step: VotersStep, after: VotersView) => void = () => undefined,
): VotersView {
  let view = from
  for (let at = 0; at < 100; at += 1) {
    const step = decideVoters(view)
    if (step.kind === 'none') return view
    const after = taken(view, step, 1000 + at)
    onStep(view, step, after)
    view = after
  }
  throw new Error('the voters never come to rest')
}
