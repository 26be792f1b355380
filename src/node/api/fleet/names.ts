/** Which names fleet takes, in its words and its order (`api/units.go`, after systemd's rules). */
import { utf8 } from '../../../base/bytes.ts'

const nameBytesMax = 256
const templateTypes = ['path', 'service', 'socket', 'target', 'timer']
const types = [
  ...templateTypes,
  'automount',
  'busname',
  'device',
  'mount',
  'scope',
  'slice',
  'snapshot',
  'swap',
]

/** Undefined when fleet takes the name; whether it can run here is another question. */
export function refuseName(name: string): string | undefined {
  if (name === '') return 'unit name cannot be empty'
  if (utf8(name).length > nameBytesMax) return `unit name exceeds maximum length (${nameBytesMax})`
  const dot = name.lastIndexOf('.')
  if (dot < 0) return 'unit name must contain "."'
  const type = name.slice(dot + 1)
  if (type === '') return 'unit name cannot end in "."'
  if (!types.includes(type)) return `invalid unit type: ${JSON.stringify(type)}`
  if (name.includes('@') && !templateTypes.includes(type)) {
    return `invalid unit type for template: ${JSON.stringify(type)}`
  }
  const bad = /[^0-9A-Za-z:\-_.\\@]/u.exec(name.slice(0, dot))
  if (bad !== null) return `invalid character '${quoted(bad[0])}' in unit name`
  return name.startsWith('@') ? 'unit name cannot start in "@"' : undefined
}

const named: Readonly<Record<string, string>> = {
  ...{ '\u0007': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t' },
  ...{ '\v': '\\v', "'": "\\'" },
}

/** A character as Go quotes it (`strconv.QuoteRune`), for all that a path may hold and a terminal may not. */
function quoted(character: string): string {
  const name = named[character]
  if (name !== undefined) return name
  if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) return character
  const code = character.codePointAt(0) ?? 0
  const hex = (digits: number): string => code.toString(16).padStart(digits, '0')
  return code < 0x80 ? `\\x${hex(2)}` : code < 0x1_0000 ? `\\u${hex(4)}` : `\\U${hex(8)}`
}
