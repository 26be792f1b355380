/**
 * Many patterns, asked for those that match a name: found by what they begin with, so that a name meets few
 * of them.
 */
import { literalStart, matchesGlob } from './matchers.ts'

export class PatternIndex {
  /** By the length of the literal start, then the start: how often each pattern was added. */
  readonly #byStart = new Map<number, Map<string, Map<string, number>>>()
  /** Changes when a name may be matched by another pattern than before. */
  version = 0
  /** The last answer of `matchAny`. */
  #asked = { name: '', version: -1, does: false }

  add(pattern: string): void {
    const start = literalStart(pattern)
    const starts = this.#byStart.get(start.length) ?? new Map<string, Map<string, number>>()
    this.#byStart.set(start.length, starts)
    const patterns = starts.get(start) ?? new Map<string, number>()
    starts.set(start, patterns)
    const count = patterns.get(pattern) ?? 0
    if (count === 0) this.version += 1
    patterns.set(pattern, count + 1)
  }

  delete(pattern: string): void {
    const start = literalStart(pattern)
    const starts = this.#byStart.get(start.length)
    const patterns = starts?.get(start)
    const count = patterns?.get(pattern)
    if (starts === undefined || patterns === undefined || count === undefined) return
    if (count > 1) {
      patterns.set(pattern, count - 1)
      return
    }
    patterns.delete(pattern)
    if (patterns.size === 0) starts.delete(start)
    if (starts.size === 0) this.#byStart.delete(start.length)
  }

  /** Asked again and again of the same name, it costs nothing more. */
  matchAny(name: string): boolean {
    const { name: last, version, does } = this.#asked
    if (last === name && version === this.version) return does
    this.#asked = { name, version: this.version, does: this.matching(name).length > 0 }
    return this.#asked.does
  }

  /** In no order. */
  matching(name: string): string[] {
    const found: string[] = []
    for (const [length, starts] of this.#byStart) {
      if (length > name.length) continue
      for (const pattern of starts.get(name.slice(0, length))?.keys() ?? []) {
        if (matchesGlob(pattern, name)) found.push(pattern)
      }
    }
    return found
  }
}
