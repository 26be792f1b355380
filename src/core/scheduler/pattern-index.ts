/**
 * Many patterns, asked for those that match a name: found by what they begin with, so that a name meets few
 * of them, and most names none.
 */
import { literalStart, matchesGlob } from './matchers.ts'

/** By the length of the literal start, then the start: how often each pattern was added. */
type Starts = Map<number, Map<string, Map<string, number>>>

/** So many characters of a literal start find the others that begin alike. */
const headLength = 4

export class PatternIndex {
  /** By `headOf` the literal start. */
  readonly #heads = new Map<number, Starts>()
  /** By a length: how many heads have it. */
  readonly #lengths = Array.from({ length: headLength + 1 }, () => 0)
  /** Changes when a name may be matched by another pattern than before. */
  version = 0
  /** The last answer of `matchAny`. */
  #asked = { name: '', version: -1, does: false }

  add(pattern: string): void {
    const start = literalStart(pattern)
    const starts = this.#startsOf(start)
    const alike = starts.get(start.length) ?? new Map<string, Map<string, number>>()
    starts.set(start.length, alike)
    const patterns = alike.get(start) ?? new Map<string, number>()
    alike.set(start, patterns)
    const count = patterns.get(pattern) ?? 0
    if (count === 0) this.version += 1
    patterns.set(pattern, count + 1)
  }

  #startsOf(start: string): Starts {
    const length = Math.min(start.length, headLength)
    const head = headOf(start, length)
    const known = this.#heads.get(head)
    if (known !== undefined) return known
    const starts: Starts = new Map()
    this.#heads.set(head, starts)
    this.#lengths[length] = (this.#lengths[length] as number) + 1
    return starts
  }

  delete(pattern: string): void {
    const start = literalStart(pattern)
    const length = Math.min(start.length, headLength)
    const head = headOf(start, length)
    const starts = this.#heads.get(head)
    const alike = starts?.get(start.length)
    const patterns = alike?.get(start)
    const count = patterns?.get(pattern)
    if (starts === undefined || alike === undefined || patterns === undefined) return
    if (count === undefined) return
    if (count > 1) {
      patterns.set(pattern, count - 1)
      return
    }
    patterns.delete(pattern)
    if (patterns.size === 0) alike.delete(start)
    if (alike.size === 0) starts.delete(start.length)
    if (starts.size > 0) return
    this.#heads.delete(head)
    this.#lengths[length] = (this.#lengths[length] as number) - 1
  }

  /** Asked again and again of the same name, it costs nothing more. */
  matchAny(name: string): boolean {
    const { name: last, version, does } = this.#asked
    if (last === name && version === this.version) return does
    this.#asked = { name, version: this.version, does: this.matching(name).length > 0 }
    return this.#asked.does
  }

  /** In no order. */
  matching(name: string): readonly string[] {
    let found = none
    const longest = Math.min(name.length, headLength)
    for (let length = 0; length <= longest; length += 1) {
      if (this.#lengths[length] === 0) continue
      const starts = this.#heads.get(headOf(name, length))
      if (starts !== undefined) found = [...found, ...matchingOf(starts, name)]
    }
    return found
  }
}

const none: readonly string[] = []

/** Of what begins differently it may be the same: whoever is found by it is looked at. */
function headOf(text: string, length: number): number {
  let head = 1
  for (let at = 0; at < length; at += 1) head = (head << 7) | (text.charCodeAt(at) & 0x7f)
  return head
}

function matchingOf(starts: Starts, name: string): string[] {
  const found: string[] = []
  for (const [length, alike] of starts) {
    if (length > name.length) continue
    for (const pattern of alike.get(name.slice(0, length))?.keys() ?? []) {
      if (matchesGlob(pattern, name)) found.push(pattern)
    }
  }
  return found
}
