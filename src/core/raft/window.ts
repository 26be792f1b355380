/**
 * The part of the log held in memory: consecutive entries after a boundary whose term is known.
 *
 * Invariant: entry `i` of the array has index `boundaryIndex + 1 + i`; terms do not descend.
 */
import { assert } from '../../base/assert.ts'
import type { Index, Term } from '../../base/ids.ts'
import { entryBytes } from './entries.ts'
import type { Entry } from './types.ts'

export class LogWindow {
  #boundaryIndex: Index
  #boundaryTerm: Term
  #entries: Entry[]

  constructor(boundaryIndex: Index, boundaryTerm: Term, entries: readonly Entry[]) {
    this.#boundaryIndex = boundaryIndex
    this.#boundaryTerm = boundaryTerm
    this.#entries = []
    this.append(entries)
  }

  /** The last index whose entry is no longer, or never was, in memory. */
  get boundaryIndex(): Index {
    return this.#boundaryIndex
  }
  get firstIndex(): Index {
    return (this.#boundaryIndex + 1) as Index
  }
  get lastIndex(): Index {
    return (this.#boundaryIndex + this.#entries.length) as Index
  }
  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#boundaryTerm
  }

  /** Undefined before the boundary and after the end. */
  termAt(index: Index): Term | undefined {
    if (index === this.#boundaryIndex) return this.#boundaryTerm
    if (index < this.#boundaryIndex) return undefined
    return this.#entries[index - this.#boundaryIndex - 1]?.term
  }

  /** The entries from `from` to `to`, both included; none when `to` < `from`. */
  slice(from: Index, to: Index): readonly Entry[] {
    assert(from > this.#boundaryIndex, 'only entries still in memory are read')
    assert(to <= this.lastIndex, 'only entries of the log are read')
    if (to < from) return []
    return this.#entries.slice(from - this.#boundaryIndex - 1, to - this.#boundaryIndex)
  }

  /** The entries from `from` on within `maxBytes`; at least one, if the log goes that far. */
  sliceWithin(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    assert(from > this.#boundaryIndex, 'only entries still in memory are read')
    assert(to <= this.lastIndex, 'only entries of the log are read')
    const start = from - this.#boundaryIndex - 1
    const end = to - this.#boundaryIndex
    let bytes = 0
    let at = start
    // The whole tail may be long; only what is sent is looked at.
    for (; at < end; at += 1) {
      bytes += entryBytes(this.#entries[at] as Entry)
      if (bytes > maxBytes && at > start) break
    }
    return at > start ? this.#entries.slice(start, at) : []
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'entries follow one another without gaps')
      assert(entry.term >= this.lastTerm, 'terms do not descend along the log')
      this.#entries.push(entry)
    }
  }

  /** Drops every entry at or after `from`. */
  truncate(from: Index): void {
    assert(from > this.#boundaryIndex, 'what left memory is not truncated')
    assert(from <= this.lastIndex, 'there is something to truncate')
    this.#entries.length = from - this.#boundaryIndex - 1
  }

  /** Entries up to and including `upto` leave memory; a boundary already there is kept. */
  compact(upto: Index): void {
    if (upto <= this.#boundaryIndex) return
    assert(upto <= this.lastIndex, 'only what is in the log leaves it')
    const term = this.termAt(upto) as Term
    this.#entries = this.#entries.slice(upto - this.#boundaryIndex)
    this.#boundaryIndex = upto
    this.#boundaryTerm = term
  }

  /** Forgets everything: the log begins anew after a snapshot. */
  reset(boundaryIndex: Index, boundaryTerm: Term): void {
    this.#entries = []
    this.#boundaryIndex = boundaryIndex
    this.#boundaryTerm = boundaryTerm
  }
}
