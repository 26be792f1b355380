/** The core's settings in the product (ARCHITECTURE 4). */
import type { MemberId } from '../../base/ids.ts'
import type { RaftConfig } from '../../core/raft/types.ts'

/** Finer than a heartbeat, so that a timeout is late by a tenth of itself at most. */
export const tickMs = 10

const heartbeatMs = 30
const electionTimeoutMs = 150
/**
 * On a machine whose loop is slow, silence says less: this member then waits twice as long before
 * it stands, and before it gives leadership up. Its heartbeats stay as they are, because those
 * who hear them may be quick and wait no longer than usual.
 */
export const electionTimeoutMsWhenSlow = 2 * electionTimeoutMs

/**
 * So long a follower may learn later than the leader what is committed, when no append comes that
 * would tell it: who writes one after the other is back with the next by then, and who watches
 * through a follower does not feel it.
 */
export const commitNoticeMs = 2

/** Longer without a leader than any election takes: a read need not wait to find that out. */
export const longestElectionMs = 2000

const mebibyte = 1_048_576

export const timers = (isSlow: boolean): Pick<RaftConfig, 'electionTimeoutMs' | 'heartbeatMs'> => ({
  electionTimeoutMs: isSlow ? electionTimeoutMsWhenSlow : electionTimeoutMs,
  heartbeatMs,
})

export const raftConfig = (id: MemberId): RaftConfig => ({
  id,
  electionTimeoutMs,
  heartbeatMs,
  preVote: true,
  repeatPreVote: true,
  checkQuorum: true,
  readOnly: 'safe',
  stepDownOnRemoval: true,
  disableMemberChangeValidation: false,
  applyBeforeDurable: false,
  holdCommitNotice: true,
  maxEntryBytes: 2 * mebibyte,
  maxAppendBytes: mebibyte,
  maxInflightMessages: 256,
  maxInflightBytes: 16 * mebibyte,
  maxUncommittedBytes: 64 * mebibyte,
  maxApplyingBytes: 16 * mebibyte,
  maxPendingReads: 4096,
})
