/**
 * Environment files: systemd's (`EnvironmentFile=`, systemd.exec(5)) and Docker's (`--env-file`,
 * `--label-file`). They look alike and differ in quoting: systemd's knows quotes, escapes and
 * continued lines; Docker's takes the rest of the line as it is.
 */

/** The text of one environment file; longer ones are refused where they are read in. */
export const environmentFileBytesMax = 1024 * 1024

const nameExpression = /^[A-Za-z_][A-Za-z0-9_]*$/

export const isVariableName = (text: string): boolean => nameExpression.test(text)

/** In order. A line that is no `NAME=value` of a valid name is passed over, as systemd does. */
export function parseEnvironmentFile(text: string): readonly (readonly [string, string])[] {
  const variables: [string, string][] = []
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  let at = 0
  while (at < source.length) {
    const lineEnd = endOfLine(source, at)
    const line = source.slice(at, lineEnd)
    const equals = line.indexOf('=')
    if (/^\s*([#;]|$)/.test(line) || equals < 0) {
      at = lineEnd + 1
      continue
    }
    const name = line.slice(0, equals).trim()
    const read = readValue(source, at + equals + 1)
    if (isVariableName(name)) variables.push([name, read.value])
    at = read.end + 1
  }
  return variables
}

function endOfLine(source: string, at: number): number {
  const end = source.indexOf('\n', at)
  return end < 0 ? source.length : end
}

/** Reads from `at` to the newline that ends the value; `end` is that newline's index. */
function readValue(source: string, at: number): { value: string; end: number } {
  let value = ''
  /** Length of `value` up to which spaces are meant: those quoted or escaped. */
  let kept = 0
  let quote = ''
  let position = at
  for (; position < source.length; position += 1) {
    const character = source[position] as string
    if (quote === "'" && character !== "'") value += character
    else if (character === '\\') {
      position += 1
      const next = source[position] ?? ''
      if (next !== '\n') {
        // Between double quotes a backslash quotes only what a shell would let it quote.
        value += quote === '"' && !'"\\`$'.includes(next) ? `\\${next}` : next
        kept = value.length
      }
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else value += character
    } else if (character === '\n') break
    else if (character === '"' || character === "'") quote = character
    else if (value !== '' || !/[ \t]/.test(character)) {
      value += character
      continue
    }
    if (quote !== '') kept = value.length
    else kept = Math.max(kept, lastMeant(value, character))
  }
  return { value: value.slice(0, kept) + value.slice(kept).trimEnd(), end: position }
}

/** A closing quote makes everything before it meant; nothing else does. */
const lastMeant = (value: string, character: string): number =>
  character === '"' || character === "'" ? value.length : 0

export type KeyValueResult =
  | { readonly ok: true; readonly lines: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/**
 * Docker's key-value file. A name alone takes its value from `lookup`, and counts for nothing
 * where that has none. Source: the behaviour of `docker run` 20.10
 * (`test/contract/docker-run.test.ts`).
 */
export function parseKeyValueFile(
  text: string,
  lookup: (name: string) => string | undefined,
): KeyValueResult {
  const lines: string[] = []
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const line = raw.trimStart()
    if (line === '' || line.startsWith('#')) continue
    const equals = line.indexOf('=')
    const name = equals < 0 ? line : line.slice(0, equals)
    if (name === '') return { ok: false, reason: `no name in the line ${JSON.stringify(line)}` }
    if (/[ \t]/.test(equals < 0 ? name.trimEnd() : name)) {
      return { ok: false, reason: `spaces in the name ${JSON.stringify(name)}` }
    }
    if (equals >= 0) lines.push(line)
    else {
      const value = lookup(name.trimEnd())
      if (value !== undefined) lines.push(`${name.trimEnd()}=${value}`)
    }
  }
  return { ok: true, lines }
}
