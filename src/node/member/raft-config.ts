/** The core's settings in the product (DESIGN 4). */
import type { MemberId } from '../../base/ids.ts'
import type { RaftConfig } from '../../core/raft/types.ts'

/** Finer than a heartbeat, so that a timeout is late by a tenth of itself at most. */
export const tickMs = 10

const mebibyte = 1_048_576

export const raftConfig = (id: MemberId): RaftConfig => ({
  id,
  electionTimeoutMs: 150,
  heartbeatMs: 30,
  preVote: true,
  checkQuorum: true,
  readOnly: 'safe',
  stepDownOnRemoval: true,
  disableMemberChangeValidation: false,
  applyBeforeDurable: false,
  maxEntryBytes: 2 * mebibyte,
  maxAppendBytes: mebibyte,
  maxInflightMessages: 256,
  maxInflightBytes: 16 * mebibyte,
  maxUncommittedBytes: 64 * mebibyte,
  maxApplyingBytes: 16 * mebibyte,
  maxPendingReads: 4096,
})
