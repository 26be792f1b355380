/**
 * Unit names. Source for the characters and the length: fleet `api/units.go` (after systemd's
 * `unit_name_is_valid`), narrowed to services, because a unit here is a container.
 */
import { utf8 } from '../../base/bytes.ts'
import { unitName } from '../../base/ids.ts'
import type { ParsedUnitName } from './types.ts'

const unitNameBytesMax = 256
/** The most names that one `{a..b}` may stand for. */
const expandedNamesMax = 1000
const suffix = '.service'

export type NameResult =
  | { readonly ok: true; readonly name: ParsedUnitName }
  | { readonly ok: false; readonly reason: string }

/** `web.service`, `web@3.service` (an instance) or `web@.service` (a template). */
export function parseUnitName(text: string): NameResult {
  const reason = reasonAgainst(text)
  if (reason !== undefined) return { ok: false, reason }
  const stem = text.slice(0, -suffix.length)
  const at = stem.indexOf('@')
  const name = unitName(text)
  if (at < 0) {
    return {
      ok: true,
      name: { name, prefix: stem, kind: 'plain', instance: '', templateName: undefined },
    }
  }
  const prefix = stem.slice(0, at)
  const instance = stem.slice(at + 1)
  const kind = instance === '' ? 'template' : 'instance'
  const templateName = kind === 'template' ? undefined : unitName(`${prefix}@${suffix}`)
  return { ok: true, name: { name, prefix, kind, instance, templateName } }
}

function reasonAgainst(text: string): string | undefined {
  if (text === '') return 'a unit name cannot be empty'
  if (utf8(text).length > unitNameBytesMax) {
    return `a unit name has at most ${unitNameBytesMax} bytes`
  }
  const bad = /[^0-9A-Za-z:\-_.\\@]/u.exec(text)
  if (bad !== null) return `a unit name cannot contain ${JSON.stringify(bad[0])}`
  if (!text.includes('.')) return `a unit name ends in ${suffix}: write ${text}${suffix}`
  if (!text.endsWith(suffix)) return `only services run here: a unit name ends in ${suffix}`
  if (text === suffix) return `a unit name has something before ${suffix}`
  if (text.startsWith('@')) return 'a unit name cannot start with @'
  return undefined
}

/** As fleetctl does: a name without a unit type is a service. */
export const withServiceSuffix = (text: string): string =>
  /\.(service|socket|busname|target|snapshot|device|mount|automount|swap|timer|path|slice|scope)$/.test(
    text,
  )
    ? text
    : `${text}${suffix}`

export type NamesResult =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/**
 * Expands one `{a..b}` of whole numbers, as a shell would: `hello@{1..6}.service` gives six
 * names, `{01..10}` keeps the leading zero, `{3..1}` counts down. Text without braces is one
 * name. The names themselves are not checked; at most 1,000 come out.
 */
export function expandNames(text: string): NamesResult {
  if (!/[{}]/.test(text)) return { ok: true, names: [text] }
  const match = /^([^{}]*)\{(\d{1,9})\.\.(\d{1,9})\}([^{}]*)$/.exec(text)
  if (match === null) {
    return { ok: false, reason: `${text}: write one range of whole numbers, such as {1..6}` }
  }
  const [, before, fromText, toText, after] = match as unknown as string[] as [
    string,
    string,
    string,
    string,
    string,
  ]
  const from = Number(fromText)
  const to = Number(toText)
  const count = Math.abs(to - from) + 1
  if (count > expandedNamesMax) {
    return { ok: false, reason: `${text}: a range stands for at most ${expandedNamesMax} names` }
  }
  const padded = /^0\d/.test(fromText) || /^0\d/.test(toText)
  const width = padded ? Math.max(fromText.length, toText.length) : 0
  const step = to >= from ? 1 : -1
  const names = Array.from(
    { length: count },
    (_, i) => `${before}${String(from + i * step).padStart(width, '0')}${after}`,
  )
  return { ok: true, names }
}
