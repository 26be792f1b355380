/**
 * The text of a unit file to its options and back. Source: systemd.syntax(7); the bytes that are
 * hashed are those fleet writes (go-systemd `unit.Serialize` as fleet 1.0 carries it).
 */
import { toHex, utf8 } from '../../base/bytes.ts'
import { sha1 } from '../../base/sha1.ts'
import type { LocatedOption, UnitOption } from './types.ts'

type WrittenOption = UnitOption & Pick<LocatedOption, 'written'>

/** fleet kept units in etcd, whose requests end at 1.5 MiB; no honest unit comes near this. */
export const unitTextBytesMax = 256 * 1024
const optionsMax = 2048

export interface SyntaxProblem {
  readonly line: number
  readonly reason: string
}

export type OptionsResult =
  | { readonly ok: true; readonly options: readonly LocatedOption[] }
  | { readonly ok: false; readonly problems: readonly SyntaxProblem[] }

/** Reads sections, comments (`#` and `;`), continued lines and `name=value`. Lines count from 1. */
export function parseOptions(text: string): OptionsResult {
  if (utf8(text).length > unitTextBytesMax) {
    return fail(0, `a unit file has at most ${unitTextBytesMax} bytes`)
  }
  const options: LocatedOption[] = []
  const problems: SyntaxProblem[] = []
  let section: string | undefined
  for (const { line, text: logical, written } of logicalLines(text)) {
    const content = logical.trim()
    if (content === '') continue
    const control = controlCharacter(content)
    if (control !== undefined) {
      problems.push({ line, reason: `the line holds the control character ${control}` })
    } else if (content.startsWith('[')) {
      const header = /^\[([^[\]]+)\]$/.exec(content)
      if (header === null) problems.push({ line, reason: `${content}: not a section header` })
      else section = header[1]
    } else if (section === undefined) {
      problems.push({ line, reason: 'a setting stands before the first section header' })
    } else {
      const equals = content.indexOf('=')
      if (equals <= 0) problems.push({ line, reason: `${content}: write name=value` })
      else {
        const name = content.slice(0, equals).trimEnd()
        const option = { section, name, value: content.slice(equals + 1).trimStart(), line }
        options.push(written === undefined ? option : { ...option, written: valueOf(written) })
      }
    }
  }
  if (options.length > optionsMax) return fail(0, `a unit file has at most ${optionsMax} settings`)
  return problems.length > 0 ? { ok: false, problems } : { ok: true, options }
}

const fail = (line: number, reason: string): OptionsResult => ({
  ok: false,
  problems: [{ line, reason }],
})

function controlCharacter(text: string): string | undefined {
  for (const character of text) {
    const code = character.codePointAt(0) as number
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) {
      return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
    }
  }
  return undefined
}

/**
 * A value over several lines as fleet keeps it: with its backslashes and newlines. One whose last
 * line is empty keeps that newline too (go-systemd `lexOptionValueFunc`).
 */
function valueOf(written: string): string {
  const value = written.slice(written.indexOf('=') + 1)
  return value.endsWith('\n') ? `${value.trim()}\n` : value.trim()
}

interface LogicalLine {
  readonly line: number
  /** Of several lines made one: each backslash and newline is a space. */
  readonly text: string
  /** Only when it was several lines: with the backslashes and newlines. */
  readonly written?: string
}

/**
 * Joins lines that end in a backslash. A comment line between continued lines is left out and does
 * not end them.
 */
function* logicalLines(text: string): Generator<LogicalLine> {
  let held: { line: number; parts: string[] } | undefined
  for (const [at, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n/)
    .entries()) {
    if (/^\s*[#;]/.test(raw)) continue
    const line = held?.line ?? at + 1
    if (raw.endsWith('\\')) {
      held ??= { line, parts: [] }
      held.parts.push(raw.slice(0, -1))
    } else {
      if (held === undefined) yield { line, text: raw }
      else yield joined(line, [...held.parts, raw])
      held = undefined
    }
  }
  // The text ends in a backslash: there is no line for it to continue with.
  if (held !== undefined) yield joined(held.line, held.parts)
}

const joined = (line: number, parts: readonly string[]): LogicalLine => ({
  line,
  text: parts.join(' '),
  ...(parts.length === 1 ? {} : { written: parts.map(blankAsEmpty).join('\\\n') }),
})

const blankAsEmpty = (part: string): string => (part.trim() === '' ? '' : part)

/** Writes options out as fleet does: grouped by section, sections in the order first seen. */
export function formatOptions(options: readonly WrittenOption[]): string {
  const sections = new Map<string, string[]>()
  for (const { section, name, value, written = value } of options) {
    const lines = sections.get(section)
    if (lines === undefined) sections.set(section, [`${name}=${written}\n`])
    else lines.push(`${name}=${written}\n`)
  }
  return [...sections].map(([section, lines]) => `[${section}]\n${lines.join('')}`).join('\n')
}

/** SHA-1 over `formatOptions`, 40 lower-case hex digits: what fleet's API and clients show. */
export const unitHash = (options: readonly WrittenOption[]): string =>
  toHex(sha1(utf8(formatOptions(options))))

/** As fleet's API carries them, and has them hashed. */
export const asWritten = (options: readonly WrittenOption[]): UnitOption[] =>
  options.map(({ section, name, value, written = value }) => ({ section, name, value: written }))
