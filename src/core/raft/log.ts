/**
 * A member's log: what is in it, what of it is committed, written, durable and applied.
 *
 *   boundary <= applied <= applying <= committed <= last
 *   durable <= handedOut <= last
 *
 * Writing happens elsewhere and later. Each batch handed out is remembered until it is reported
 * durable; a truncation in between lowers what the report will mean, so that a late report never
 * speaks for entries that took the place of those it was about.
 */
import { assert, present } from '../../base/assert.ts'
import type { Index, Term } from '../../base/ids.ts'
import { totalBytes } from './entries.ts'
import type { AppendToken, Entry, RestoredState, SnapshotRef, TraceSink } from './types.ts'
import { LogWindow } from './window.ts'

interface Write {
  readonly token: AppendToken
  /** The report will mean: durable up to here. Lowered by truncation, voided by a snapshot. */
  upto: Index
  /** The report will also mean: the state machine has been restored from this. */
  readonly snapshot: SnapshotRef | undefined
}

export interface HandedOut {
  readonly truncateFrom: Index | undefined
  readonly entries: readonly Entry[]
  readonly snapshot: SnapshotRef | undefined
}

export interface LogOptions {
  readonly applyBeforeDurable: boolean
  readonly maxApplyingBytes: number
  readonly trace?: TraceSink | undefined
}

export class RaftLog {
  readonly #window: LogWindow
  readonly #options: LogOptions
  #committed: Index
  /** Handed out to be applied. */
  #applying: Index
  #applied: Index
  /** Handed out to be written. Lowered when what was handed out is truncated. */
  #handedOut: Index
  /** Known to be on disk, and never to be truncated there without being lowered here first. */
  #durable: Index
  /** Where what was handed out became void, until the next batch says so. */
  #truncateFrom: Index | undefined = undefined
  /** Writes not yet reported, oldest first. */
  #writes: Write[] = []
  /** Batches not yet applied, oldest first. */
  #applies: { readonly last: Index; readonly bytes: number }[] = []
  #applyingBytes = 0
  /** The newest snapshot that is durable here and may be sent. */
  #snapshot: SnapshotRef
  /** Received, and not yet durable and restored; nothing is applied meanwhile. */
  #incoming: { readonly snapshot: SnapshotRef; handedOut: boolean } | undefined = undefined

  constructor(restored: RestoredState, options: LogOptions) {
    const { snapshot, entries, hardState } = restored
    const first = entries[0]
    if (first === undefined || first.index > snapshot.index) {
      this.#window = new LogWindow(snapshot.index, snapshot.term, entries)
    } else {
      // Entries from before the snapshot: the first one serves as the boundary, since the term
      // of the one before it is not known.
      this.#window = new LogWindow(first.index, first.term, entries.slice(1))
      assert(this.#window.termAt(snapshot.index) === snapshot.term, 'snapshot and log agree')
    }
    this.#options = options
    this.#snapshot = snapshot
    this.#committed = Math.max(hardState.commit, snapshot.index) as Index
    this.#applied = snapshot.index
    this.#applying = snapshot.index
    this.#handedOut = this.#window.lastIndex
    this.#durable = this.#window.lastIndex
    assert(this.#committed <= this.#window.lastIndex, 'no committed entry is missing')
    this.#check()
  }

  get firstIndex(): Index {
    return this.#window.firstIndex
  }
  get lastIndex(): Index {
    return this.#window.lastIndex
  }
  get lastTerm(): Term {
    return this.#window.lastTerm
  }
  get committed(): Index {
    return this.#committed
  }
  get applied(): Index {
    return this.#applied
  }
  get durable(): Index {
    return this.#durable
  }
  get snapshot(): SnapshotRef {
    return this.#snapshot
  }
  /** A snapshot was received and its installing has not been reported yet. */
  get restoring(): boolean {
    return this.#incoming !== undefined
  }

  /** Undefined where the log does not reach, or no longer reaches. */
  termAt(index: Index): Term | undefined {
    return this.#window.termAt(index)
  }

  matches(index: Index, term: Term): boolean {
    return this.#window.termAt(index) === term
  }

  /** Whether a log ending so holds at least what this one holds (thesis, 3.6.1). */
  isUpToDate(lastIndex: Index, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  slice(from: Index, to: Index): readonly Entry[] {
    return this.#window.slice(from, to)
  }

  /** What to send from `from` on; at least one entry, if there is one. */
  sliceWithin(from: Index, maxBytes: number): readonly Entry[] {
    return this.#window.sliceWithin(from, this.lastIndex, maxBytes)
  }

  /** A leader adds to its own log. */
  append(entries: readonly Entry[]): void {
    assert(!this.restoring, 'a leader is not restoring a snapshot')
    this.#window.append(entries)
    this.#check()
  }

  /**
   * A follower takes entries of the leader after (`prevIndex`, `prevTerm`). Undefined when the
   * log does not hold that position; else the index of the last entry now known to agree.
   */
  takeFromLeader(
    prevIndex: Index,
    prevTerm: Term,
    entries: readonly Entry[],
    commit: Index,
  ): Index | undefined {
    // Below the commit index the boundary may have moved past `prevIndex`; the caller answers
    // such appends from what is committed, so that nothing is ever appended twice.
    assert(prevIndex >= this.#committed, 'appends below the commit index do not come here')
    if (!this.matches(prevIndex, prevTerm)) return undefined
    const fresh = entries.findIndex((entry) => !this.matches(entry.index, entry.term))
    if (fresh >= 0) this.#replaceFrom(entries.slice(fresh))
    const last = (prevIndex + entries.length) as Index
    this.commitTo(Math.min(commit, last) as Index)
    return last
  }

  #replaceFrom(entries: readonly Entry[]): void {
    const first = present(entries[0], 'the first new entry').index
    assert(first > this.#committed, 'a committed entry is never replaced')
    if (first <= this.lastIndex) {
      this.#options.trace?.(
        'info',
        `found conflict at index ${first} [existing term: ${this.termAt(first) ?? 0}, ` +
          `conflicting term: ${entries[0]?.term ?? 0}]`,
      )
      this.#options.trace?.('info', `replace the unstable entries from index ${first}`)
      this.#window.truncate(first)
      this.#voidFrom(first)
    }
    this.#window.append(entries)
    this.#check()
  }

  /** What was handed out at or after `first` no longer stands. */
  #voidFrom(first: Index): void {
    const before = (first - 1) as Index
    if (first <= this.#handedOut) {
      this.#truncateFrom = Math.min(this.#truncateFrom ?? first, first) as Index
      this.#handedOut = before
    }
    this.#durable = Math.min(this.#durable, before) as Index
    for (const write of this.#writes) write.upto = Math.min(write.upto, before) as Index
  }

  /** Everything up to `index` is committed; going back is no news. */
  commitTo(index: Index): void {
    if (index <= this.#committed) return
    assert(index <= this.lastIndex, 'only what is in the log is committed')
    this.#committed = index
    this.#check()
  }

  /**
   * The last index at or before `index` whose term may equal or precede `term`: where two logs,
   * one of which has `term` at `index`, can still agree.
   */
  conflictByTerm(index: Index, term: Term): { readonly index: Index; readonly term: Term } {
    for (let at = index; at > 0; at = (at - 1) as Index) {
      const ours = this.termAt(at)
      if (ours === undefined) return { index: at, term: 0 as Term }
      if (ours <= term) return { index: at, term: ours }
    }
    return { index: 0 as Index, term: 0 as Term }
  }

  /** Takes a snapshot's place in the log; all entries are gone. Durable once reported so. */
  restore(snapshot: SnapshotRef): void {
    assert(snapshot.index > this.#committed, 'a snapshot never goes back')
    this.#window.reset(snapshot.index, snapshot.term)
    this.#committed = snapshot.index
    this.#handedOut = snapshot.index
    this.#durable = Math.min(this.#durable, snapshot.index) as Index
    this.#truncateFrom = undefined
    this.#incoming = { snapshot, handedOut: false }
    for (const write of this.#writes) write.upto = 0 as Index
    this.#check()
  }

  /** Whether a new batch would hold anything. */
  get hasUnwritten(): boolean {
    return (
      this.#handedOut < this.lastIndex ||
      this.#truncateFrom !== undefined ||
      this.#incoming?.handedOut === false
    )
  }

  /** The next batch to write, to be reported under `token`. */
  handOut(token: AppendToken): HandedOut {
    assert(token > (this.#writes.at(-1)?.token ?? 0), 'tokens grow')
    const entries = this.#window.slice((this.#handedOut + 1) as Index, this.lastIndex)
    const truncateFrom = this.#truncateFrom
    assert(truncateFrom === undefined || entries[0]?.index === truncateFrom, 'void is replaced')
    const incoming = this.#incoming?.handedOut === false ? this.#incoming : undefined
    if (incoming !== undefined) incoming.handedOut = true
    this.#handedOut = this.lastIndex
    this.#truncateFrom = undefined
    this.#writes.push({ token, upto: this.lastIndex, snapshot: incoming?.snapshot })
    return { truncateFrom, entries, snapshot: incoming?.snapshot }
  }

  /** The batches up to `token` are durable. Returns the snapshot installed by them, if any. */
  written(token: AppendToken): SnapshotRef | undefined {
    let installed: SnapshotRef | undefined
    for (let write = this.#writes[0]; write !== undefined; write = this.#writes[0]) {
      if (write.token > token) break
      this.#writes.shift()
      this.#durable = Math.max(this.#durable, write.upto) as Index
      if (write.snapshot !== undefined && write.snapshot === this.#incoming?.snapshot) {
        this.#install(write.snapshot)
        installed = write.snapshot
      }
    }
    this.#check()
    return installed
  }

  #install(snapshot: SnapshotRef): void {
    assert(snapshot.index > this.#applied, 'restoring never takes the state machine back')
    this.#incoming = undefined
    this.#snapshot = snapshot
    this.#applied = snapshot.index
    this.#applying = snapshot.index
    this.#applies = []
    this.#applyingBytes = 0
  }

  /** The next committed entries to apply, within the bound; empty when there are none. */
  handOutApply(): readonly Entry[] {
    const room = this.#options.maxApplyingBytes - this.#applyingBytes
    // An incoming snapshot covers what would be applied, and the window may already be past it.
    if (this.restoring || (room <= 0 && this.#applies.length > 0)) return []
    const bound = this.#options.applyBeforeDurable ? this.lastIndex : this.#durable
    const to = Math.min(this.#committed, bound) as Index
    if (to <= this.#applying) return []
    const entries = this.#window.sliceWithin((this.#applying + 1) as Index, to, room)
    const bytes = totalBytes(entries)
    this.#applying = (this.#applying + entries.length) as Index
    this.#applies.push({ last: this.#applying, bytes })
    this.#applyingBytes += bytes
    this.#check()
    return entries
  }

  /** The entries from the last applied one up to `upto`, which the report is about. */
  applyingEntries(upto: Index): readonly Entry[] {
    assert(upto >= this.#applied, 'applying does not go back')
    assert(upto <= this.#applying, 'only what was handed out is applied')
    return upto === this.#applied ? [] : this.slice((this.#applied + 1) as Index, upto)
  }

  appliedTo(upto: Index): void {
    assert(upto >= this.#applied && upto <= this.#applying, 'applying follows what was handed out')
    this.#applied = upto
    for (let next = this.#applies[0]; next !== undefined; next = this.#applies[0]) {
      if (next.last > upto) break
      this.#applies.shift()
      this.#applyingBytes -= next.bytes
    }
    assert(this.#applyingBytes >= 0, 'no byte is applied twice')
  }

  /** `snapshot` may be sent from now on, and entries up to `upto` leave memory. */
  compact(snapshot: SnapshotRef, upto: Index): void {
    // An incoming snapshot overtook the report: the log begins after it anyway.
    if (this.restoring || snapshot.index < this.#snapshot.index) return
    assert(upto <= snapshot.index && snapshot.index <= this.#applied, 'only applied state is kept')
    this.#snapshot = snapshot
    this.#window.compact(Math.min(upto, this.#durable) as Index)
    this.#check()
  }

  /** The log's place, as etcd's scripts print it. */
  describe(): string {
    const inProgress = this.#handedOut + 1
    return (
      `committed=${this.#committed}, applied=${this.#applied}, applying=${this.#applying}, ` +
      `unstable.offset=${this.#durable + 1}, unstable.offsetInProgress=${inProgress}, ` +
      `len(unstable.Entries)=${this.lastIndex - this.#durable}`
    )
  }

  #check(): void {
    assert(this.#applied <= this.#applying, 'applied <= applying')
    assert(this.#applying <= this.#committed, 'applying <= committed')
    assert(this.#committed <= this.lastIndex, 'committed <= last')
    assert(this.#durable <= this.lastIndex, 'durable <= last')
    assert(this.#handedOut <= this.lastIndex, 'handed out <= last')
    assert(
      this.restoring || this.#window.boundaryIndex <= this.#applied,
      'nothing leaves memory before it is applied',
    )
  }
}
