/**
 * Feeds committed entries to the store, in slices, so that a long stretch of log does not hold
 * the loop. Everything that reads the store sees whole entries only.
 */
import { assert } from '../../base/assert.ts'
import { describeError } from '../../base/errors.ts'
import type { Index } from '../../base/ids.ts'
import type { Entry } from '../../core/raft/types.ts'
import { decodeCommand } from '../../core/store/command-codec.ts'
import type { Store } from '../../core/store/store.ts'
import type { ApplyResult, Command } from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Committed } from './proposals.ts'
import type { WatchHub } from './watch-hub.ts'

/** A slice ends when this time is used up (ARCHITECTURE 3: nothing holds the loop for 5 ms). */
const sliceMs = 3
/** The time is looked at after this many entries. */
const entriesBetweenLooks = 32

export interface ApplierOptions {
  readonly clock: Clock
  readonly store: () => Store
  readonly hub: WatchHub
  /** Each applied entry, in order. */
  readonly onCommitted: (committed: Committed, command: Command | undefined) => void
  /** The end of a slice, with the bytes of its entries. */
  readonly onApplied: (upto: Index, bytes: number) => void
  /** An entry that this binary cannot apply: going on would part this member from the others. */
  readonly onFatal: (reason: string) => void
}

export class Applier {
  readonly #options: ApplierOptions
  #queue: (readonly Entry[])[] = []
  /** Position in the first array of `#queue`. */
  #at = 0
  #scheduled = false
  #stopped = false

  constructor(options: ApplierOptions) {
    this.#options = options
  }

  push(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#queue.push(entries)
    if (!this.#scheduled) this.#slice()
  }

  /** As `push`, when whatever else this turn has brought is on its way. */
  pushLater(entries: readonly Entry[]): void {
    this.#queue.push(entries)
    if (this.#scheduled) return
    this.#scheduled = true
    this.#options.clock.atTurnsEnd(() => this.#goOn())
  }

  /** What was pushed and not applied yet is void: a snapshot takes its place. */
  reset(): void {
    this.#queue = []
    this.#at = 0
  }

  stop(): void {
    this.#stopped = true
    this.reset()
  }

  #slice(): void {
    const { clock } = this.#options
    const startedMs = clock.monotonicMs()
    let applied: Index | undefined
    let count = 0
    let bytes = 0
    while (this.#queue.length > 0 && !this.#stopped) {
      const entries = this.#queue[0] as readonly Entry[]
      const entry = entries[this.#at]
      if (entry === undefined) {
        this.#queue.shift()
        this.#at = 0
        continue
      }
      this.#at += 1
      if (!this.#apply(entry)) return
      applied = entry.index
      bytes += entry.kind === 'normal' ? entry.data.length : 0
      count += 1
      if (count % entriesBetweenLooks === 0 && clock.monotonicMs() - startedMs > sliceMs) break
    }
    if (applied !== undefined) this.#options.onApplied(applied, bytes)
    if (this.#queue.length > 0 && !this.#scheduled && !this.#stopped) {
      this.#scheduled = true
      clock.after(0, () => this.#goOn())
    }
  }

  #goOn(): void {
    this.#scheduled = false
    this.#slice()
  }

  /** False when the process must end. */
  #apply(entry: Entry): boolean {
    const store = this.#options.store()
    assert(entry.index > store.appliedIndex, 'entries are applied once, in order')
    const position = { index: entry.index, term: entry.term }
    if (entry.kind === 'config' || entry.data.length === 0) {
      store.advance(position)
      this.#options.onCommitted({ ...position, result: undefined }, undefined)
      return true
    }
    const decoded = decodeCommand(entry.data)
    if (decoded.kind !== 'command') {
      const why = decoded.kind === 'malformed' ? decoded.reason : `format ${decoded.format}`
      this.#stopped = true
      this.#options.onFatal(`log entry ${entry.index} cannot be applied: ${why}`)
      return false
    }
    let result: ApplyResult
    try {
      const outcome = store.apply(decoded.command, position)
      result = outcome.result
      if (outcome.batch !== undefined) this.#options.hub.publish(outcome.batch)
      else if (result.kind === 'compacted') this.#options.hub.compacted()
    } catch (error) {
      this.#stopped = true
      this.#options.onFatal(`log entry ${entry.index}: ${describeError(error)}`)
      return false
    }
    this.#options.onCommitted({ ...position, result }, decoded.command)
    return true
  }
}
