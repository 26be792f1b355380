/** What a member is given to work with, and what it tells. */
import type { MemberId, Term } from '../../base/ids.ts'
import type { RestoredState, Role, SnapshotMessage } from '../../core/raft/types.ts'
import type { Store } from '../../core/store/store.ts'
import type { Command } from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Log } from '../../ports/log.ts'
import type { FramedMessage } from '../wire/raft-codec.ts'
import type { MemberLog } from './member-log.ts'
import type { Committed } from './proposals.ts'
import type { SnapshotsMeans } from './snapshots.ts'

export interface Leadership {
  readonly role: Role | 'learner'
  readonly term: Term
  readonly leader: MemberId
}

export interface MemberOptions extends SnapshotsMeans {
  readonly id: MemberId
  readonly restored: RestoredState
  /** Restored from `restored.snapshot`. */
  readonly store: Store
  readonly log: MemberLog
  readonly clock: Clock
  readonly entropy: Entropy
  readonly logger: Log
  readonly send: (message: FramedMessage) => void
  /** Moves a snapshot to another member; rejects when it did not arrive whole. */
  readonly sendSnapshot: (
    message: SnapshotMessage,
    read: () => AsyncIterable<Uint8Array>,
  ) => Promise<void>
  readonly onLeadership: (leadership: Leadership) => void
  readonly onCommand: (committed: Committed, command: Command) => void
  /** The member cannot go on. */
  readonly onFatal: (reason: string, what: Failed) => void
}

/**
 * `log`: what is on disk cannot be trusted any more. `passing`: the log is whole, and another
 * process may well go on with it: its disk takes nothing just now, or a mistake of our own met the
 * way to it. `state`: the log is whole, but this binary met an entry or a snapshot that it cannot
 * apply; every other member may well do the same.
 */
export type Failed = 'log' | 'passing' | 'state'
