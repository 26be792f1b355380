/**
 * Shell patterns as Go's `path.Match` has them, because fleet's `Conflicts=` and `Replaces=` are
 * matched with it: `*` any run of non-`/`, `?` one non-`/`, `[…]` a class (`^` negates), `\`
 * quotes. Source: research of fleet `agent/state.go`; Go `path/match.go` documentation.
 *
 * Matching takes at most the product of both lengths, whatever the pattern: patterns are people's, and
 * every leader plans with them.
 */

/** A code point, or what stands for some. */
type Part = number | typeof anything | typeof anyRun | CharacterClass

interface CharacterClass {
  readonly isNegated: boolean
  /** Code points, both ends included. */
  readonly ranges: readonly (readonly [low: number, high: number])[]
}

const anything = '?'
const anyRun = '*'
const slash = 0x2f

/** Undefined when `pattern` is malformed (Go's ErrBadPattern). */
export function globMatcher(pattern: string): ((name: string) => boolean) | undefined {
  const parts = partsOf(pattern)
  if (parts === undefined) return undefined
  // Most names differ from most patterns at their beginning, and to find that out is cheap.
  const end = parts.findIndex((part) => typeof part !== 'number')
  const begin = (end < 0 ? parts : parts.slice(0, end)) as readonly number[]
  const text = begin.map((code) => String.fromCodePoint(code)).join('')
  const rest = parts.slice(begin.length)
  return (name) => name.startsWith(text) && matches(rest, name, text.length)
}

/** A malformed pattern matches nothing. */
export function globMatches(pattern: string, name: string): boolean {
  return globMatcher(pattern)?.(name) ?? false
}

/**
 * As far as the pattern goes, and from the last `*` again with one more of the name taken by it. No
 * earlier one need be tried again: what it took was the least that lets the rest begin.
 */
function matches(parts: readonly Part[], name: string, from: number): boolean {
  let at = from
  let part = 0
  /** The part after the last `*`, and where in the name it is tried now. */
  let again = -1
  let againAt = 0
  for (;;) {
    const wanted = parts[part]
    if (wanted === anyRun) {
      part += 1
      again = part
      againAt = at
      continue
    }
    const code = name.codePointAt(at)
    if (code === undefined && wanted === undefined) return true
    if (code !== undefined && wanted !== undefined && isOne(wanted, code)) {
      part += 1
      at += widthOf(code)
      continue
    }
    const skipped = again < 0 ? undefined : name.codePointAt(againAt)
    if (skipped === undefined || skipped === slash) return false
    againAt += widthOf(skipped)
    part = again
    at = againAt
  }
}

/** In UTF-16 units. */
const widthOf = (code: number): number => (code > 0xffff ? 2 : 1)

function isOne(part: Exclude<Part, typeof anyRun>, code: number): boolean {
  if (typeof part === 'number') return part === code
  if (part === anything) return code !== slash
  const { isNegated, ranges } = part
  // Without any range a class is all, or nothing, of what `?` is.
  if (ranges.length === 0) return isNegated && code !== slash
  return ranges.some(([low, high]) => low <= code && code <= high) !== isNegated
}

function partsOf(pattern: string): Part[] | undefined {
  const codes = Array.from(pattern, (character) => character.codePointAt(0) as number)
  const parts: Part[] = []
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] as number
    const character = String.fromCodePoint(code)
    if (character === '*' || character === '?') parts.push(character)
    else if (character === '\\') {
      at += 1
      const quoted = codes[at]
      if (quoted === undefined) return undefined
      parts.push(quoted)
    } else if (character === '[') {
      const parsed = toClass(codes, at + 1)
      if (parsed === undefined) return undefined
      parts.push(parsed.part)
      at = parsed.end
    } else parts.push(code)
  }
  return parts
}

const [backslash, caret, closing, hyphen] = [0x5c, 0x5e, 0x5d, 0x2d]

/** Parses a class whose first character is at `at`; `end` is the index of its `]`. */
function toClass(
  codes: readonly number[],
  at: number,
): { part: CharacterClass; end: number } | undefined {
  const isNegated = codes[at] === caret
  let position = isNegated ? at + 1 : at
  const ranges: (readonly [number, number])[] = []
  const one = (): number | undefined => {
    let code = codes[position]
    if (code === undefined || code === hyphen || code === closing) return undefined
    if (code === backslash) {
      position += 1
      code = codes[position]
      if (code === undefined) return undefined
    }
    position += 1
    return code
  }
  for (let first = true; first || codes[position] !== closing; first = false) {
    const low = one()
    if (low === undefined) return undefined
    let high: number | undefined = low
    if (codes[position] === hyphen) {
      position += 1
      high = one()
      if (high === undefined) return undefined
    }
    if (low <= high) ranges.push([low, high])
  }
  return { part: { isNegated, ranges }, end: position }
}
