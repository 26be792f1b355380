/** What the log is asked to keep: consensus's `append` effect is one. */
import type { Entry, HardState, SnapshotRef } from '../../core/raft/types.ts'
import type { Index } from '../../base/ids.ts'
import type { WalRecord } from './records.ts'

export interface AppendRequest {
  readonly hardState?: HardState
  /** Entries at and after this index are void; `entries` begins with the one in its place. */
  readonly truncateFrom?: Index
  readonly entries: readonly Entry[]
  /** A snapshot staged before takes the place of the whole log; `entries` follow it. */
  readonly snapshot?: SnapshotRef
  /** False when nobody depends on it being durable; only ever without entries. */
  readonly mustSync?: boolean
}

/** Kind, index, term, length and the rest, rounded up. */
const recordOverheadBytes = 40
/** A change of membership has at most 64 steps of nine bytes. */
const changeBytes = 640

/** At least as many bytes as `recordsOf(request)` takes. */
export function sizeOf({ entries }: AppendRequest): number {
  let bytes = 3 * recordOverheadBytes
  for (const entry of entries) {
    bytes += recordOverheadBytes + (entry.kind === 'normal' ? entry.data.length : changeBytes)
  }
  return bytes
}

/** The hard state is last: its commit may only name entries that are there. */
export function* recordsOf(request: AppendRequest): Generator<WalRecord> {
  const { snapshot, truncateFrom, entries, hardState } = request
  if (snapshot !== undefined) {
    yield { kind: 'reset', last: { index: snapshot.index, term: snapshot.term } }
  }
  if (truncateFrom !== undefined) yield { kind: 'truncate', from: truncateFrom }
  for (const entry of entries) yield { kind: 'entry', entry }
  if (hardState !== undefined) yield { kind: 'hardState', hardState }
}
