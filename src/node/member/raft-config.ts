/** The core's settings in the product (ARCHITECTURE 4). */
import type { MemberId } from '../../base/ids.ts'
import type { RaftConfig } from '../../core/raft/types.ts'

/** Finer than a heartbeat, so that a timeout is late by a tenth of itself at most. */
export const tickMs = 10

export const heartbeatMs = 30
const electionTimeoutMs = 150
/**
 * Where this loop is slow, or those who are heard are, silence says less: this member then waits
 * longer before it stands, and before it gives leadership up, namely so many times the delay. Its
 * heartbeats stay as they are, because those who hear them may wait no longer than usual.
 */
const timeoutInDelays = 10
const longestTimeoutMs = 1200
/** A wait is drawn again when its bounds change; they do not with every breath of the delay. */
const timeoutStepMs = 30

/**
 * So long a follower may learn later than the leader what is committed, when no append comes that
 * would tell it: who writes one after the other is back with the next by then, and who watches
 * through a follower does not feel it.
 */
export const commitNoticeMs = 2

/** Longer without a leader than any election takes: a read need not wait to find that out. */
export const longestElectionMs = 2000

const mebibyte = 1_048_576

type Timers = Pick<RaftConfig, 'electionTimeoutMs' | 'loyaltyMs' | 'heartbeatMs'>

/**
 * `delayMs`: how late things are here, by their slowest thousandth. Loyalty grows by half as much:
 * whoever stands against a leader has missed it for as long as its own delays ask.
 */
export function timers(delayMs: number): Timers {
  const asked = Math.ceil((delayMs * timeoutInDelays) / timeoutStepMs) * timeoutStepMs
  const stretched = Math.min(Math.max(asked, electionTimeoutMs), longestTimeoutMs)
  return {
    electionTimeoutMs: stretched,
    loyaltyMs: Math.max(stretched / 2, electionTimeoutMs),
    heartbeatMs,
  }
}

export const raftConfig = (id: MemberId): RaftConfig => ({
  id,
  ...timers(0),
  preVote: true,
  repeatPreVote: true,
  checkQuorum: true,
  readOnly: 'safe',
  stepDownOnRemoval: true,
  disableMemberChangeValidation: false,
  applyBeforeDurable: false,
  holdCommitNotice: true,
  restWhileAppending: true,
  maxEntryBytes: 2 * mebibyte,
  maxAppendBytes: mebibyte,
  maxInflightMessages: 256,
  maxInflightBytes: 16 * mebibyte,
  maxUncommittedBytes: 64 * mebibyte,
  maxApplyingBytes: 16 * mebibyte,
  maxPendingReads: 4096,
})
