/**
 * A command line or a list of values to its words, and words to their parts. Source:
 * systemd.service(5) "Command lines", systemd.syntax(7) "Quoting", systemd.unit(5) "Specifiers".
 */
import { assertNever } from '../../base/assert.ts'
import type { ParsedUnitName, Part, Template } from './types.ts'

/** More words than Linux takes arguments in practice; a bound on what one line can cost. */
const wordsMax = 4096

export type WordsResult<T> =
  { readonly ok: true; readonly words: readonly T[] } | { readonly ok: false; reason: string }

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
  s: ' ',
}

/**
 * Splits at spaces and tabs; quotes of both kinds group anywhere in a word, and C escapes hold
 * inside and outside of them. An escape that systemd does not know stays as written, as there.
 */
export function splitWords(text: string): WordsResult<string> {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string
    if (character === '\\') {
      const escaped = readEscape(text, at)
      if (escaped === undefined) return { ok: false, reason: 'the line ends in a lone backslash' }
      if (escaped.text.includes('\0')) {
        return { ok: false, reason: 'an escape stands for the character NUL' }
      }
      word = (word ?? '') + escaped.text
      at = escaped.end
    } else if (character === quote) quote = undefined
    else if (quote !== undefined) word += character
    else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
    if (words.length > wordsMax) {
      return { ok: false, reason: `a line has at most ${wordsMax} words` }
    }
  }
  if (quote !== undefined) return { ok: false, reason: `a quote (${quote}) is not closed` }
  if (word !== undefined) words.push(word)
  return { ok: true, words }
}

/** The escape whose backslash is at `at`; `end` is the index of its last character. */
function readEscape(text: string, at: number): { text: string; end: number } | undefined {
  const letter = text[at + 1]
  if (letter === undefined) return undefined
  const simple = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined
  if (simple !== undefined) return { text: simple, end: at + 1 }
  const numeric =
    /^\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(
      text.slice(at, at + 10),
    )
  if (numeric !== null) {
    const [whole, hex, octal, short, long] = numeric
    const code = octal === undefined ? parseInt(hex ?? short ?? long ?? '', 16) : parseInt(octal, 8)
    const character = code <= 0x10_ffff ? String.fromCodePoint(code) : whole
    return { text: character, end: at + whole.length - 1 }
  }
  return { text: `\\${letter}`, end: at + 1 }
}

export type TemplateResult =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly reason: string }

/**
 * `%` specifiers always, `$` variables where `variables` says so. What the unit's name decides is
 * put in at once; in a template `%n`, `%N` and `%i` wait for the instance.
 */
export function toTemplate(
  word: string,
  name: ParsedUnitName,
  options: { readonly variables: boolean },
): TemplateResult {
  const parts: Part[] = []
  let text = ''
  const push = (part: Part): void => {
    if (text !== '') parts.push({ kind: 'text', text })
    text = ''
    parts.push(part)
  }
  for (let at = 0; at < word.length; at += 1) {
    const character = word[at] as string
    if (character === '%') {
      at += 1
      const found = specifier(word[at], name)
      if (typeof found === 'string') text += found
      else if (found.ok) push(found.part)
      else return { ok: false, reason: found.reason }
    } else if (character === '$' && options.variables) {
      const found = variable(word, at)
      if (found.kind === 'bad') return { ok: false, reason: found.reason }
      if (found.kind === 'text') text += found.text
      else push(found.part)
      at += found.length - 1
    } else text += character
  }
  if (text !== '') parts.push({ kind: 'text', text })
  return { ok: true, template: parts }
}

type SpecifierResult =
  string | { readonly ok: true; readonly part: Part } | { readonly ok: false; reason: string }

function specifier(letter: string | undefined, name: ParsedUnitName): SpecifierResult {
  const template = name.kind === 'template'
  switch (letter) {
    case '%':
      return '%'
    case 'p':
      return name.prefix
    case 'n':
      return template ? { ok: true, part: { kind: 'specifier', letter } } : name.name
    case 'N':
      return template
        ? { ok: true, part: { kind: 'specifier', letter } }
        : name.name.replace(/\.service$/, '')
    case 'i':
      return template ? { ok: true, part: { kind: 'specifier', letter } } : name.instance
    case 'H':
    case 'm':
      return { ok: true, part: { kind: 'specifier', letter } }
    default: {
      const written = letter === undefined ? '%' : `%${letter}`
      return {
        ok: false,
        reason: `${written}: understood are %n %N %p %i %H %m, and %% for a percent sign`,
      }
    }
  }
}

type VariableResult =
  | { readonly kind: 'text'; readonly text: string; readonly length: number }
  | { readonly kind: 'part'; readonly part: Part; readonly length: number }
  | { readonly kind: 'bad'; readonly reason: string }

/**
 * `${NAME}` anywhere, `$NAME` as a whole word, `$$` for a dollar. Where systemd would leave
 * `a$NAME` as it is, or take `$NAME/x` for a variable of that odd name, this refuses: neither is
 * ever what was meant.
 */
function variable(word: string, at: number): VariableResult {
  const rest = word.slice(at)
  if (rest.startsWith('$$')) return { kind: 'text', text: '$', length: 2 }
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}/.exec(rest)
  if (braced !== null) {
    const part: Part = { kind: 'variable', name: braced[1] as string, braced: true }
    return { kind: 'part', part, length: braced[0].length }
  }
  if (rest.startsWith('${')) {
    return { kind: 'bad', reason: `${word}: between the braces stands a variable's name alone` }
  }
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(rest)
  if (plain === null) return { kind: 'text', text: '$', length: 1 }
  const name = plain[1] as string
  if (at > 0 || plain[0].length < word.length) {
    return { kind: 'bad', reason: `${word}: inside a word write \${${name}}, or $$ for a dollar` }
  }
  return { kind: 'part', part: { kind: 'variable', name, braced: false }, length: word.length }
}

/** What stands for a piece that is not known yet. A private-use character: in no honest line. */
export const unknownPiece = '\uE000'

/** Undefined: not known yet. An unset variable is the empty string. */
export interface Resolver {
  specifier(letter: 'm' | 'H' | 'n' | 'N' | 'i'): string | undefined
  variable(name: string): string | undefined
}

/** The value of a template as one string. */
export function expandValue(template: Template, resolver: Resolver): string {
  let value = ''
  for (const part of template) {
    if (part.kind === 'text') value += part.text
    else if (part.kind === 'specifier') value += resolver.specifier(part.letter) ?? unknownPiece
    else if (part.kind === 'variable') value += resolver.variable(part.name) ?? unknownPiece
    else assertNever(part)
  }
  return value
}

/** The words of a command. An unbraced variable gives none, one or many of them. */
export function expandWords(words: readonly Template[], resolver: Resolver): string[] {
  const expanded: string[] = []
  for (const word of words) {
    const only = word.length === 1 ? word[0] : undefined
    if (only?.kind === 'variable' && !only.braced) {
      const value = resolver.variable(only.name)
      if (value === undefined) expanded.push(unknownPiece)
      else expanded.push(...splitValue(value))
    } else expanded.push(expandValue(word, resolver))
    if (expanded.length > wordsMax) break
  }
  return expanded.slice(0, wordsMax)
}

/** Splits a variable's value; a value with a stray quote splits at its spaces alone. */
function splitValue(value: string): readonly string[] {
  const quoted = splitWords(value.replaceAll('\\', '\\\\').replaceAll('\n', ' '))
  return quoted.ok ? quoted.words : value.split(/\s+/).filter((word) => word !== '')
}

/** The template as a person would write it. */
export const describeTemplate = (template: Template): string =>
  template
    .map((part) => {
      if (part.kind === 'text') return part.text
      if (part.kind === 'specifier') return `%${part.letter}`
      return part.braced ? `\${${part.name}}` : `$${part.name}`
    })
    .join('')
