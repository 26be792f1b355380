/**
 * Shell patterns as Go's `path.Match` has them, because fleet's `Conflicts=` and `Replaces=` are
 * matched with it: `*` any run of non-`/`, `?` one non-`/`, `[…]` a class (`^` negates), `\`
 * quotes. Source: research of fleet `agent/state.go`; Go `path/match.go` documentation.
 */

/** Undefined when `pattern` is malformed (Go's ErrBadPattern). */
export function globMatcher(pattern: string): ((name: string) => boolean) | undefined {
  const source = toRegExpSource(pattern)
  if (source === undefined) return undefined
  const expression = new RegExp(`^${source}$`, 'su')
  return (name) => expression.test(name)
}

/** A malformed pattern matches nothing. */
export function globMatches(pattern: string, name: string): boolean {
  return globMatcher(pattern)?.(name) ?? false
}

const escape = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/u, '\\$&')
/** In a class a `-` means a range; outside of one a quoted `-` is an error (flag `u`). */
const escapeInClass = (character: string): string => (character === '-' ? '\\-' : escape(character))

function toRegExpSource(pattern: string): string | undefined {
  const characters = [...pattern]
  let source = ''
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] as string
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (character === '\\') {
      at += 1
      if (at >= characters.length) return undefined
      source += escape(characters[at] as string)
    } else if (character === '[') {
      const parsed = toClass(characters, at + 1)
      if (parsed === undefined) return undefined
      source += parsed.source
      at = parsed.end
    } else source += escape(character)
  }
  return source
}

/** Parses a class whose first character is at `at`; `end` is the index of its `]`. */
function toClass(
  characters: readonly string[],
  at: number,
): { source: string; end: number } | undefined {
  const negated = characters[at] === '^'
  let position = negated ? at + 1 : at
  let ranges = ''
  const one = (): string | undefined => {
    let character = characters[position]
    if (character === undefined || character === '-' || character === ']') return undefined
    if (character === '\\') {
      position += 1
      character = characters[position]
      if (character === undefined) return undefined
    }
    position += 1
    return character
  }
  for (let first = true; first || characters[position] !== ']'; first = false) {
    const low = one()
    if (low === undefined) return undefined
    let high: string | undefined = low
    if (characters[position] === '-') {
      position += 1
      high = one()
      if (high === undefined) return undefined
    }
    if (low <= high) ranges += `${escapeInClass(low)}-${escapeInClass(high)}`
  }
  const source = ranges === '' ? (negated ? '[^/]' : '(?!)') : `[${negated ? '^' : ''}${ranges}]`
  return { source, end: position }
}
