/**
 * The format of the outside scripts: a command line, optional input lines, `----`, and the
 * expected output up to a blank line; or between doubled `----` lines, when it has blank lines.
 * A `#` begins a comment line between commands.
 */
import { assert } from '../../src/base/assert.ts'

export interface Command {
  /** The line it begins on, counted from 1. */
  readonly line: number
  readonly name: string
  readonly args: readonly Arg[]
  readonly input: string
  readonly expected: string
}

/** `key`, `key=value` or `key=(value, …)`. */
export interface Arg {
  readonly key: string
  readonly values: readonly string[]
}

export function parseScript(text: string): readonly Command[] {
  const lines = text.split('\n')
  const commands: Command[] = []
  let at = 0
  while (at < lines.length) {
    const head = (lines[at] as string).trim()
    if (head === '' || head.startsWith('#')) {
      at += 1
      continue
    }
    const line = at + 1
    let directive = head
    while (directive.endsWith('\\')) directive = directive.slice(0, -1) + (lines[++at] ?? '').trim()
    const input: string[] = []
    for (at += 1; at < lines.length && lines[at] !== '----'; at += 1)
      input.push(lines[at] as string)
    assert(lines[at] === '----', `the command on line ${line} has an expectation`)
    const { expected, next } = parseExpected(lines, at + 1)
    at = next
    commands.push({ line, ...parseDirective(directive), input: input.join('\n'), expected })
  }
  return commands
}

function parseExpected(
  lines: readonly string[],
  start: number,
): { expected: string; next: number } {
  const doubled = lines[start] === '----'
  const expected: string[] = []
  let at = doubled ? start + 1 : start
  const ended = (): boolean =>
    doubled ? lines[at] === '----' && lines[at + 1] === '----' : (lines[at] ?? '').trim() === ''
  for (; at < lines.length && !ended(); at += 1) expected.push(lines[at] as string)
  return { expected: expected.join('\n'), next: doubled ? at + 2 : at + 1 }
}

function parseDirective(directive: string): Pick<Command, 'name' | 'args'> {
  const [name, ...rest] = directive.match(/[^\s=()]+(?:=\([^)]*\)|=\S*)?|\([^)]*\)/g) ?? []
  assert(name !== undefined, 'a directive begins with a name')
  const args = rest.map((text): Arg => {
    const equals = text.indexOf('=')
    if (equals < 0) return { key: text, values: [] }
    const value = text.slice(equals + 1)
    const values = value.startsWith('(')
      ? value
          .slice(1, -1)
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
      : [value]
    return { key: text.slice(0, equals), values }
  })
  return { name, args }
}

/** Thrown by a suite for a command it does not know: a failure, never a pass by silence. */
export class UnknownCommand extends Error {
  override readonly name = 'UnknownCommand'
}

/** The values of `key`, undefined when it is not given. */
export const argOf = (command: Command, key: string): readonly string[] | undefined =>
  command.args.find((arg) => arg.key === key)?.values

/** The only value of `key`, undefined when it is not given. */
export const valueOf = (command: Command, key: string): string | undefined =>
  argOf(command, key)?.[0]

/** `key=true`, or `key` alone. */
export function flagOf(command: Command, key: string): boolean {
  const values = argOf(command, key)
  return values !== undefined && (values.length === 0 || values[0] === 'true')
}
