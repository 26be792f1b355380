/**
 * Membership as a value: configurations, and what a change makes of one. Nothing here knows of
 * progress or of time.
 *
 * Source: Ongaro's thesis, 4; tested against etcd-io/raft's confchange scripts.
 */
import { assert, assertNever } from '../../base/assert.ts'
import { noMember, type MemberId } from '../../base/ids.ts'
import type { ConfState, MemberChange, MemberStep } from './types.ts'

export const emptyConfig: ConfState = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

/** A configuration with these voters and nothing else. */
export const configOfVoters = (...voters: readonly MemberId[]): ConfState => ({
  ...emptyConfig,
  voters: sorted(voters),
})

export const isJoint = (config: ConfState): boolean => config.outgoing.length > 0

/** A configuration is never changed, only replaced: asked for with every message, made once. */
const membersOf = new WeakMap<ConfState, readonly MemberId[]>()

/** Everyone who is sent the log, ascending. */
export function memberIds(config: ConfState): readonly MemberId[] {
  const known = membersOf.get(config)
  if (known !== undefined) return known
  const ids = sorted([...config.voters, ...config.outgoing, ...config.learners])
  membersOf.set(config, ids)
  return ids
}

/** Votes count and may be asked for; voters on their way out still are voters. */
export const isVoter = (config: ConfState, id: MemberId): boolean =>
  config.voters.includes(id) || config.outgoing.includes(id)

export const isLearner = (config: ConfState, id: MemberId): boolean => config.learners.includes(id)

/** A change, or why it does not fit. The text is for people and test scripts. */
export type ChangeResult =
  | { readonly ok: true; readonly config: ConfState }
  | { readonly ok: false; readonly reason: string }

const refused = (reason: string): ChangeResult => ({ ok: false, reason })

/** What `config` becomes. Deterministic: every member applies the same log to the same end. */
export function changeConfig(config: ConfState, change: MemberChange): ChangeResult {
  assertConfig(config)
  const result = changed(config, change)
  if (result.ok) assertConfig(result.config)
  return result
}

function changed(config: ConfState, change: MemberChange): ChangeResult {
  switch (change.kind) {
    case 'simple':
      return simpleChange(config, change.steps)
    case 'enterJoint':
      return enterJoint(config, change.steps, change.autoLeave)
    case 'leaveJoint':
      return leaveJoint(config)
    default:
      return assertNever(change)
  }
}

function simpleChange(config: ConfState, steps: readonly MemberStep[]): ChangeResult {
  if (isJoint(config)) return refused("can't apply simple config change in joint config")
  const draft = draftOf(config)
  for (const step of steps) takeStep(draft, step)
  if (draft.voters.size === 0) return refused('removed all voters')
  const before = new Set(config.voters)
  // Two majorities that differ by one voter always overlap; by two, they need not.
  if (before.symmetricDifference(draft.voters).size > 1) {
    return refused('more than one voter changed without entering joint config')
  }
  return { ok: true, config: configOf(draft, false) }
}

function enterJoint(
  config: ConfState,
  steps: readonly MemberStep[],
  autoLeave: boolean,
): ChangeResult {
  if (isJoint(config)) return refused('config is already joint')
  if (config.voters.length === 0) return refused("can't make a zero-voter config joint")
  const draft = draftOf(config)
  draft.outgoing = new Set(config.voters)
  for (const step of steps) takeStep(draft, step)
  if (draft.voters.size === 0) return refused('removed all voters')
  return { ok: true, config: configOf(draft, autoLeave) }
}

function leaveJoint(config: ConfState): ChangeResult {
  if (!isJoint(config)) return refused("can't leave a non-joint config")
  const draft = draftOf(config)
  draft.learners = draft.learners.union(draft.learnersNext)
  draft.learnersNext = new Set()
  draft.outgoing = new Set()
  return { ok: true, config: configOf(draft, false) }
}

interface Draft {
  voters: Set<MemberId>
  outgoing: Set<MemberId>
  learners: Set<MemberId>
  learnersNext: Set<MemberId>
}

function takeStep(draft: Draft, { kind, id }: MemberStep): void {
  // Nobody: a change whose target was struck out after it was proposed.
  if (id === noMember) return
  switch (kind) {
    case 'addVoter':
      draft.learners.delete(id)
      draft.learnersNext.delete(id)
      draft.voters.add(id)
      return
    case 'addLearner':
      draft.voters.delete(id)
      // A voter on its way out counts in the outgoing majority until the joint configuration is
      // left; as a learner at the same time it would be two things at once.
      if (draft.outgoing.has(id)) draft.learnersNext.add(id)
      else draft.learners.add(id)
      return
    case 'remove':
      draft.voters.delete(id)
      draft.learners.delete(id)
      draft.learnersNext.delete(id)
      return
    case 'update':
      return
    default:
      assertNever(kind)
  }
}

const draftOf = (config: ConfState): Draft => ({
  voters: new Set(config.voters),
  outgoing: new Set(config.outgoing),
  learners: new Set(config.learners),
  learnersNext: new Set(config.learnersNext),
})

const configOf = (draft: Draft, autoLeave: boolean): ConfState => ({
  voters: sorted(draft.voters),
  outgoing: sorted(draft.outgoing),
  learners: sorted(draft.learners),
  learnersNext: sorted(draft.learnersNext),
  autoLeave,
})

const sorted = (ids: Iterable<MemberId>): readonly MemberId[] =>
  [...new Set(ids)].toSorted((a, b) => a - b)

/** The invariants stated at `ConfState`. */
export function assertConfig(config: ConfState): void {
  const fault = faultOfConfig(config)
  assert(fault === undefined, fault ?? '')
}

/** Which invariant of `ConfState` is broken, if one is: for what comes from another member. */
export function faultOfConfig(config: ConfState): string | undefined {
  const { voters, outgoing, learners, learnersNext, autoLeave } = config
  if (![voters, outgoing, learners, learnersNext].every(ascends)) {
    return 'member lists ascend from 1'
  }
  if (learners.some((id) => isVoter(config, id))) {
    return 'a learner is not a voter at the same time'
  }
  if (!learnersNext.every((id) => outgoing.includes(id))) {
    return 'only an outgoing voter waits to become a learner'
  }
  if (learnersNext.some((id) => voters.includes(id))) {
    return 'who stays a voter does not become a learner'
  }
  if (autoLeave && !isJoint(config)) return 'only a joint configuration is left by itself'
  return undefined
}

/** Of two that have no fault. */
export const isSameConfig = (one: ConfState, other: ConfState): boolean =>
  one.autoLeave === other.autoLeave &&
  isSameList(one.voters, other.voters) &&
  isSameList(one.outgoing, other.outgoing) &&
  isSameList(one.learners, other.learners) &&
  isSameList(one.learnersNext, other.learnersNext)

const isSameList = (one: readonly MemberId[], other: readonly MemberId[]): boolean =>
  one.length === other.length && one.every((id, at) => id === other[at])

const ascends = (list: readonly MemberId[]): boolean =>
  list.every((id, at) => id > (list[at - 1] ?? noMember))
