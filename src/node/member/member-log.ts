/** What a member asks of its log; `node/wal` is the one that keeps it. */
import type { AppendEffect, SnapshotRef } from '../../core/raft/types.ts'

/** What one `append` effect wants on disk, without the messages that wait for it. */
export type LogAppend = Pick<
  AppendEffect,
  'hardState' | 'truncateFrom' | 'entries' | 'snapshot' | 'mustSync'
>

export interface MemberLog {
  /** Resolves when durable (or, without `mustSync`, when handed to the disk), in order. */
  append(append: LogAppend): Promise<void>
  /** Writes the state machine's snapshot; resolves when durable. */
  writeSnapshot(snapshot: SnapshotRef, pieces: Iterable<Uint8Array>): Promise<void>
  /** The pieces of a snapshot that is here. */
  readSnapshot(snapshot: SnapshotRef): AsyncIterable<Uint8Array>
  /** The state is that of this snapshot, and of no later one that an append has named: older may go. */
  restored(snapshot: SnapshotRef): Promise<void>
  /** Takes a snapshot from another member; a later `append` may name it. */
  receiveSnapshot(snapshot: SnapshotRef): Promise<SnapshotReceiver>
  close(): Promise<void>
}

export interface SnapshotReceiver {
  write(piece: Uint8Array): Promise<void>
  /** Resolves when whole and durable. Rejects with JGD_WAL_DAMAGED. */
  finish(): Promise<void>
  /** Also after `finish`, unless an append has named it. */
  abort(): Promise<void>
}
