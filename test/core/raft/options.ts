/** A configuration for tests: small, round times and bounds; change what a test is about. */
import type { MemberId } from '../../../src/base/ids.ts'
import type { RaftConfig } from '../../../src/core/raft/types.ts'

export const raftOptions = (
  changes: Partial<RaftConfig> & { readonly id: MemberId },
): RaftConfig => ({
  electionTimeoutMs: 150,
  loyaltyMs: 150,
  heartbeatMs: 30,
  preVote: true,
  checkQuorum: true,
  readOnly: 'safe',
  stepDownOnRemoval: true,
  disableMemberChangeValidation: false,
  applyBeforeDurable: false,
  holdCommitNotice: false,
  restWhileAppending: false,
  repeatPreVote: false,
  maxEntryBytes: 1 << 20,
  maxAppendBytes: 1 << 20,
  maxInflightMessages: 64,
  maxInflightBytes: 8 << 20,
  maxUncommittedBytes: 16 << 20,
  maxApplyingBytes: 4 << 20,
  maxPendingReads: 1024,
  ...changes,
})
