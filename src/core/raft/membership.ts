/**
 * Changes of membership as they happen: checked when proposed, in force when applied.
 *
 * Source: Ongaro's thesis, 4, and the correction of 2015 (a leader makes no change before it has
 * committed an entry of its own term; here: before it has applied all it found in its log).
 */
import { assert } from '../../base/assert.ts'
import { noMember, type Index, type MemberId } from '../../base/ids.ts'
import { changeConfig, isJoint, isLearner, isVoter, memberIds } from './config.ts'
import { describeConfig } from './describe.ts'
import { appendOwn, broadcastAppend, maybeCommit, maybeSendAppend } from './replication.ts'
import type { Progress } from './progress.ts'
import { becomeFollower } from './roles.ts'
import type { RaftState } from './state.ts'
import type { ConfState, DropReason, Entry, MemberChange } from './types.ts'

/** Why `change` may not enter the log now; undefined when it may. */
export function refusal(state: RaftState, change: MemberChange): DropReason | undefined {
  const { log, config, pendingConfigIndex } = state
  assert(state.role === 'leader', 'only a leader judges changes')
  if (state.options.disableMemberChangeValidation) return undefined
  const refuse = (reason: DropReason, why: string): DropReason => {
    state.trace(
      'info',
      () => `${state.id} ignoring conf change at config ${describeConfig(config)}: ${why}`,
    )
    return reason
  }
  if (pendingConfigIndex > log.applied) {
    return refuse(
      'memberChangePending',
      `possible unapplied conf change at index ${pendingConfigIndex} (applied to ${log.applied})`,
    )
  }
  if (isJoint(config) && change.kind !== 'leaveJoint') {
    return refuse('memberChangeInvalid', 'must transition out of joint config first')
  }
  if (!isJoint(config) && change.kind === 'leaveJoint') {
    return refuse('memberChangeInvalid', 'not in joint state; refusing empty conf change')
  }
  // Everything before the change is applied, so it will meet exactly this configuration.
  const result = changeConfig(config, change)
  return result.ok ? undefined : refuse('memberChangeInvalid', result.reason)
}

/** Applies the configuration changes among `entries`, which the state machine now holds. */
export function applyChanges(state: RaftState, entries: readonly Entry[]): void {
  for (const entry of entries) {
    if (entry.kind !== 'config') continue
    const result = changeConfig(state.config, entry.change)
    if (!result.ok) {
      // Only with validation off can a change that does not fit be committed; every member then
      // finds the same, and passes it over.
      assert(
        state.options.disableMemberChangeValidation,
        `a committed change fits the configuration: ${result.reason}`,
      )
      continue
    }
    switchTo(state, result.config, entry.index)
  }
}

/** Adopts a snapshot's configuration; every account of members begins anew. */
export function restoreConfig(state: RaftState, config: ConfState, index: Index): void {
  assert(state.role === 'follower', 'only followers take snapshots')
  state.progress = new Map()
  switchTo(state, config, index)
}

function switchTo(state: RaftState, config: ConfState, index: Index): void {
  state.config = config
  trackMembers(state)
  state.notices.push({ kind: 'configChanged', config, index })
  state.trace('info', () => `${state.id} switched to configuration ${describeConfig(config)}`)
  state.check()
  if (state.role !== 'leader') return
  if (!isVoter(config, state.id)) {
    // It would go on counting a quorum to which it does not belong.
    if (state.options.stepDownOnRemoval) becomeFollower(state, state.term, noMember)
    return
  }
  catchUpWith(state)
  // Whoever stopped being a voter in the meantime cannot be elected.
  if (state.transferTarget !== noMember && !isVoter(config, state.transferTarget)) {
    state.transferTarget = noMember
  }
}

/** A smaller quorum may hold more; whoever is new is sent what there is. */
function catchUpWith(state: RaftState): void {
  if (maybeCommit(state)) {
    broadcastAppend(state)
    return
  }
  for (const id of state.others) maybeSendAppend(state, state.progressOf(id), false)
}

/** Keeps accounts of exactly the members; who stays keeps its session. */
function trackMembers(state: RaftState): void {
  const kept = state.progress
  state.progress = new Map()
  for (const id of memberIds(state.config)) {
    const progress = kept.get(id) ?? newcomer(state, id)
    progress.learner = isLearner(state.config, id)
    state.progress.set(id, progress)
  }
  assert(state.progress.size === memberIds(state.config).length, 'each member is tracked once')
}

function newcomer(state: RaftState, id: MemberId): Progress {
  // Probing starts at the end of the log: a newcomer that lacks it refuses, and says what it has.
  const progress = state.newProgress(id, Math.max(state.log.lastIndex, 1) as Index)
  // Else the next check of the quorum might depose the leader before the newcomer was asked.
  progress.recentlyActive = true
  return progress
}

/** The leader ends a joint configuration by itself where the change said so. */
export function maybeAutoLeave(state: RaftState): void {
  const { config, log, pendingConfigIndex } = state
  if (state.role !== 'leader' || !config.autoLeave || log.applied < pendingConfigIndex) return
  // While leadership is handed over nothing enters the log; the next tick tries again.
  if (state.transferTarget !== noMember || !state.progress.has(state.id)) return
  assert(isJoint(config), 'only a joint configuration is left by itself')
  const [entry] = appendOwn(state, [{ kind: 'config', change: { kind: 'leaveJoint' } }])
  state.pendingConfigIndex = (entry as Entry).index
  broadcastAppend(state)
  state.trace(
    'info',
    () => 'initiating automatic transition out of joint configuration ' + describeConfig(config),
  )
}
