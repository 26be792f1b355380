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
  if (bad !== null) return `invalid character '${bad[0]}' in unit name`
  return name.startsWith('@') ? 'unit name cannot start in "@"' : undefined
}
