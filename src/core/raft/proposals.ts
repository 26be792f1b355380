/** How entries enter the log: proposals and changes of membership, taken or dropped with a reason. */
import { assert } from '../../base/assert.ts'
import { noMember } from '../../base/ids.ts'
import { entryBytes } from './entries.ts'
import { refusal } from './membership.ts'
import { appendOwn, broadcastAppend, type EntryBody } from './replication.ts'
import type { RaftState } from './state.ts'
import type { DropReason, Entry, MemberChange, Proposal, ProposalId } from './types.ts'

export function propose(state: RaftState, proposals: readonly Proposal[]): void {
  assert(proposals.length > 0, 'there is something to propose')
  const taken: { readonly proposalId: ProposalId; readonly body: EntryBody }[] = []
  let bytes = state.uncommittedBytes
  for (const { proposalId, data } of proposals) {
    const body = { kind: 'normal', data } as const
    const size = sizeOf(body)
    const reason = notTaking(state) ?? tooMuch(state, data.length, bytes, size)
    if (reason !== undefined) {
      state.notices.push({ kind: 'proposalDropped', proposalId, reason })
      continue
    }
    bytes += size
    taken.push({ proposalId, body })
  }
  if (taken.length === 0) return
  enter(state, taken)
}

export function changeMembers(
  state: RaftState,
  proposalId: ProposalId,
  change: MemberChange,
): void {
  const reason = notTaking(state) ?? refusal(state, change)
  if (reason !== undefined) {
    state.notices.push({ kind: 'proposalDropped', proposalId, reason })
    return
  }
  // However much waits to be committed: a change may be what the cluster needs to commit at all.
  const [entry] = enter(state, [{ proposalId, body: { kind: 'config', change } }])
  assert(entry !== undefined, 'what was taken has a place')
  state.pendingConfigIndex = entry.index
}

function enter(
  state: RaftState,
  taken: readonly { readonly proposalId: ProposalId; readonly body: EntryBody }[],
): readonly Entry[] {
  const entries = appendOwn(
    state,
    taken.map(({ body }) => body),
  )
  for (const [i, { index, term }] of entries.entries()) {
    const { proposalId } = taken[i] as { proposalId: ProposalId }
    state.notices.push({ kind: 'proposalAppended', proposalId, index, term })
  }
  broadcastAppend(state)
  return entries
}

function notTaking(state: RaftState): DropReason | undefined {
  const { id, term, leader, transferTarget } = state
  if (state.role !== 'leader') {
    if (leader === noMember) {
      state.trace('info', () => `${id} no leader at term ${term}; dropping proposal`)
    }
    return 'notLeader'
  }
  if (!state.progress.has(id)) return 'removed'
  if (transferTarget === noMember) return undefined
  state.trace(
    'debug',
    () =>
      `${id} [term ${term}] transfer leadership to ${transferTarget} is in progress; ` +
      'dropping proposal',
  )
  return 'transferring'
}

function tooMuch(
  state: RaftState,
  dataBytes: number,
  uncommittedBytes: number,
  size: number,
): DropReason | undefined {
  const { maxEntryBytes, maxUncommittedBytes } = state.options
  if (dataBytes > maxEntryBytes) return 'tooLarge'
  const first = uncommittedBytes === 0
  return !first && uncommittedBytes + size > maxUncommittedBytes ? 'uncommittedLimit' : undefined
}

function sizeOf(body: EntryBody): number {
  return entryBytes({ ...body, index: 0, term: 0 } as Entry)
}
