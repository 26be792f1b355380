/**
 * The log as its records tell it, from the oldest segment kept to the last.
 *
 * Invariant: `entries` are consecutive, the first at `base.index + 1`.
 */
import { type Index, index as toIndex, noMember, term as toTerm } from '../../base/ids.ts'
import type { Entry, HardState } from '../../core/raft/types.ts'
import type { LogEnd, WalRecord } from './records.ts'

export const emptyHardState: HardState = { term: toTerm(0), vote: noMember, commit: toIndex(0) }
export const emptyLogEnd: LogEnd = { index: toIndex(0), term: toTerm(0) }

export class Replay {
  /** What is before the first entry known here; of term 0 when only its index is known. */
  base: LogEnd = emptyLogEnd
  entries: Entry[] = []
  hardState: HardState = emptyHardState
  #isStarted = false
  /** `base` is where the oldest segment kept begins, and not a snapshot's end. */
  #isBaseReleased = false

  get last(): LogEnd {
    return this.entries.at(-1) ?? this.base
  }

  entryAt(index: number): Entry | undefined {
    return this.entries[index - this.base.index - 1]
  }

  /** What is wrong with `record` at this place, or undefined. */
  take(record: WalRecord): string | undefined {
    if (!this.#isStarted && record.kind !== 'start') return 'it does not begin with a start record'
    switch (record.kind) {
      case 'start':
        return this.#start(record.last, record.hardState)
      case 'hardState':
        this.hardState = record.hardState
        return undefined
      case 'truncate':
        return this.#truncate(record.from)
      case 'entry':
        return this.#append(record.entry)
      case 'reset':
        this.reset(record.last)
        return undefined
      default:
        return undefined
    }
  }

  /** The log is nothing but a snapshot that ends at `last`. */
  reset(last: LogEnd): void {
    this.base = { index: last.index, term: last.term }
    this.entries = []
    this.#isBaseReleased = false
  }

  /**
   * What is void may have been in segments before the oldest one kept: they are released once a
   * snapshot covers all that they ever held. Then the log begins where it was cut.
   */
  #truncate(from: Index): string | undefined {
    const reachesBack = from <= this.base.index
    const wasReleased = this.#isBaseReleased && from > this.hardState.commit
    if (from > this.last.index + 1 || (reachesBack && !wasReleased)) {
      return `it voids entries from ${from} on, which it does not hold`
    }
    this.entries.length = reachesBack ? 0 : from - this.base.index - 1
    if (reachesBack) this.base = { index: toIndex(from - 1), term: toTerm(0) }
    return undefined
  }

  #start(last: LogEnd, hardState: HardState): string | undefined {
    if (this.#isStarted && (last.index !== this.last.index || last.term !== this.last.term)) {
      return `it goes on after entry ${last.index}, and the log ends at ${this.last.index}`
    }
    if (!this.#isStarted) {
      this.base = last
      this.#isBaseReleased = true
    }
    this.#isStarted = true
    this.hardState = hardState
    return undefined
  }

  #append(entry: Entry): string | undefined {
    if (entry.index !== this.last.index + 1 || entry.term < this.last.term) {
      return `entry ${entry.index} of term ${entry.term} cannot follow entry ${this.last.index}`
    }
    // A copy, because a view would keep the whole segment in memory.
    this.entries.push(entry.kind === 'normal' ? { ...entry, data: entry.data.slice() } : entry)
    return undefined
  }
}
