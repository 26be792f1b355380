/**
 * Every member's log, as far as it was ever seen: what the invariants of the consensus itself are
 * held against. A log is looked at whenever its member has applied something or changed its part.
 */
import { createHash } from 'node:crypto'
import { index, type MemberId } from '../../src/base/ids.ts'
import type { Entry, RaftStatus } from '../../src/core/raft/types.ts'
import type { Member } from '../../src/node/member/member.ts'

export interface SeenEntry {
  readonly index: number
  readonly term: number
  /** Of kind and content. */
  readonly hash: string
}

export interface LogLook {
  readonly member: Member
  readonly status: RaftStatus
  /** Entries that were not in this log when it was last looked at, in order. */
  readonly fresh: readonly SeenEntry[]
}

/** Invariant: `entries` has no index below `firstIndex` and none above `lastIndex`. */
interface SeenLog {
  readonly entries: Map<number, SeenEntry>
  lastIndex: number
  /** What is below is in a snapshot. */
  firstIndex: number
}

export class RaftLogs {
  readonly #logs = new Map<MemberId, SeenLog>()

  /** The term at `at` in this member's log when it was last looked at. */
  termOf(id: MemberId, at: number): number | undefined {
    return this.#logs.get(id)?.entries.get(at)?.term
  }

  /** Whether this member's log, when it was last looked at, held this entry or a snapshot of it. */
  holds(id: MemberId, at: number, term: number): boolean {
    const log = this.#logs.get(id)
    return log !== undefined && (at < log.firstIndex || log.entries.get(at)?.term === term)
  }

  look(member: Member): LogLook {
    const status = member.status()
    const log = this.#logs.get(member.id) ?? { entries: new Map(), lastIndex: 0, firstIndex: 1 }
    this.#logs.set(member.id, log)
    const { firstIndex, lastIndex } = status
    for (let at = log.lastIndex; at > lastIndex; at -= 1) log.entries.delete(at)
    for (let at = log.firstIndex; at < firstIndex; at += 1) log.entries.delete(at)
    log.firstIndex = firstIndex
    let from = Math.max(firstIndex, Math.min(log.lastIndex, lastIndex))
    let entries = member.raft.entriesFrom(index(from))
    // Logs change at their ends only: as far back as an entry is another one.
    while (entries[0] !== undefined && from > firstIndex && !isSame(log, entries[0])) {
      from -= 1
      entries = member.raft.entriesFrom(index(from))
    }
    const fresh = entries.filter((entry) => !isSame(log, entry)).map(seen)
    for (const entry of fresh) log.entries.set(entry.index, entry)
    log.lastIndex = lastIndex
    return { member, status, fresh }
  }
}

const isSame = (log: SeenLog, { index: at, term }: Entry): boolean =>
  log.entries.get(at)?.term === term

function seen(entry: Entry): SeenEntry {
  const hash = createHash('sha1').update(entry.kind)
  if (entry.kind === 'normal') hash.update(entry.data)
  else hash.update(inOrder(entry.change))
  return { index: entry.index, term: entry.term, hash: hash.digest('base64') }
}

/** A change is the same whatever the order in which its parts were put together. */
const inOrder = (change: object): string =>
  JSON.stringify(change, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
