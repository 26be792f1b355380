/**
 * Everything the core says, as text for people, logs and scripts. The wording and the names of
 * messages and states are those of etcd-io/raft, the field's lingua franca, so that its scripts
 * and its readers find what they know.
 */
import { assertNever } from '../../base/assert.ts'
import { fromUtf8 } from '../../base/bytes.ts'
import { noMember, type Index, type MemberId, type Term } from '../../base/ids.ts'
import { electorateIds, type Electorate } from './quorum.ts'
import type {
  ConfState,
  Entry,
  HardState,
  MemberStep,
  Message,
  MessageKind,
  ProgressState,
  ProgressStatus,
  Role,
  SnapshotRef,
} from './types.ts'

const kindNames = {
  append: 'MsgApp',
  appendAccepted: 'MsgAppResp',
  appendRejected: 'MsgAppResp',
  newerTerm: 'MsgAppResp',
  heartbeat: 'MsgHeartbeat',
  heartbeatResponse: 'MsgHeartbeatResp',
  snapshot: 'MsgSnap',
  voteRequest: 'MsgVote',
  voteResponse: 'MsgVoteResp',
  preVoteRequest: 'MsgPreVote',
  preVoteResponse: 'MsgPreVoteResp',
  timeoutNow: 'MsgTimeoutNow',
  readRequest: 'MsgReadIndex',
  readResponse: 'MsgReadIndexResp',
} as const satisfies Record<MessageKind, string>

const roleNames = {
  follower: 'StateFollower',
  preCandidate: 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
} as const satisfies Record<Role, string>

const progressNames = {
  probe: 'StateProbe',
  replicate: 'StateReplicate',
  snapshot: 'StateSnapshot',
} as const satisfies Record<ProgressState, string>

export const describeKind = (kind: MessageKind): string => kindNames[kind]
export const describeRole = (role: Role): string => roleNames[role]

const list = (ids: readonly MemberId[]): string => ids.join(' ')

/** `voters=(1 2)&&(1) learners=(3) learners_next=(4) autoleave` */
export function describeConfig(config: ConfState): string {
  let text = `voters=(${list(config.voters)})`
  if (config.outgoing.length > 0) text += `&&(${list(config.outgoing)})`
  if (config.learners.length > 0) text += ` learners=(${list(config.learners)})`
  if (config.learnersNext.length > 0) text += ` learners_next=(${list(config.learnersNext)})`
  return config.autoLeave ? `${text} autoleave` : text
}

/** `StateReplicate match=11 next=17 paused inflight=2[full]` */
export function describeProgress(progress: ProgressStatus): string {
  let text = `${progressNames[progress.state]} match=${progress.match} next=${progress.next}`
  if (progress.learner) text += ' learner'
  if (progress.paused) text += ' paused'
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`
  if (!progress.recentlyActive) text += ' inactive'
  if (progress.inflightMessages > 0) {
    text += ` inflight=${progress.inflightMessages}${progress.inflightFull ? '[full]' : ''}`
  }
  return text
}

const stepLetters = {
  addVoter: 'v',
  addLearner: 'l',
  remove: 'r',
  update: 'u',
} as const satisfies Record<MemberStep['kind'], string>

/** `v1 l2 r3` */
export const describeSteps = (steps: readonly MemberStep[]): string =>
  steps.map(({ kind, id }) => `${stepLetters[kind]}${id}`).join(' ')

/** `1/4 EntryNormal "foo"`: term, index, kind, content. */
export function describeEntry(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`
  switch (entry.kind) {
    case 'normal':
      return `${place} EntryNormal ${JSON.stringify(fromUtf8(entry.data))}`
    case 'config': {
      const { change } = entry
      const steps = change.kind === 'leaveJoint' ? '' : describeSteps(change.steps)
      return `${place} EntryConfChangeV2${steps === '' ? '' : ` ${steps}`}`
    }
    default:
      return assertNever(entry)
  }
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === noMember ? '' : ` Vote:${vote}`} Commit:${commit}`
}

export function describeSnapshot({ index, term, config }: SnapshotRef): string {
  return (
    `Index:${index} Term:${term} ConfState:Voters:[${list(config.voters)}] ` +
    `VotersOutgoing:[${list(config.outgoing)}] Learners:[${list(config.learners)}] ` +
    `LearnersNext:[${list(config.learnersNext)}] AutoLeave:${config.autoLeave}`
  )
}

/** One line, or several when entries or a snapshot ride along. */
export function describeMessage(
  message: Message,
  entryText: (entry: Entry) => string = describeEntry,
): string {
  const head =
    `${message.from}->${message.to} ${kindNames[message.kind]} Term:${message.term} ` +
    `Log:${describeLogPlace(message)}`
  switch (message.kind) {
    case 'append':
      return head + describeCommit(message.commit) + describeEntries(message.entries, entryText)
    case 'heartbeat':
      return head + describeCommit(message.commit)
    case 'appendRejected':
      return `${head} Rejected (Hint: ${message.hintIndex})`
    case 'voteResponse':
    case 'preVoteResponse':
      return message.granted ? head : `${head} Rejected (Hint: 0)`
    case 'snapshot':
      return `${head}\n  Snapshot: ${describeSnapshot(message.snapshot)}`
    default:
      return head
  }
}

const describeCommit = (commit: Index): string => (commit === 0 ? '' : ` Commit:${commit}`)

function describeEntries(entries: readonly Entry[], entryText: (entry: Entry) => string): string {
  const [only] = entries
  if (only === undefined) return ''
  if (entries.length === 1) return ` Entries:[${entryText(only)}]`
  return ` Entries:[\n${entries.map((entry) => `  ${entryText(entry)}\n`).join('')}]`
}

function describeLogPlace(message: Message): string {
  const place = (term: Term | 0, index: Index | 0): string => `${term}/${index}`
  switch (message.kind) {
    case 'append':
      return place(message.prevTerm, message.prevIndex)
    case 'appendAccepted':
      return place(0, message.match)
    case 'appendRejected':
      return place(message.hintTerm, message.rejected)
    case 'voteRequest':
    case 'preVoteRequest':
      return place(message.lastTerm, message.lastIndex)
    case 'readResponse':
      return place(0, message.index)
    default:
      return place(0, 0)
  }
}

/** How far each voter has come, as bars: the longer, the further ahead of the others. */
export function describeQuorum(
  electorate: Electorate,
  indexOf: (id: MemberId) => number | undefined,
): string {
  const ids = electorateIds(electorate)
  if (ids.length === 0) return '<empty majority quorum>'
  const behind = (id: MemberId): number =>
    ids.filter((other) => (indexOf(other) ?? 0) < (indexOf(id) ?? 0)).length
  const width = ids.length
  const rows = ids.map((id) => {
    const index = indexOf(id)
    const length = behind(id)
    const bar = index === undefined ? '?'.padEnd(width + 1) : '>'.padStart(length + 1, 'x')
    return `${bar.padEnd(width + 1)} ${String(index ?? 0).padStart(5)}    (id=${id})\n`
  })
  return `${' '.repeat(width)}    idx\n${rows.join('')}`
}
