/**
 * The `[X-Fleet]` section. Sources: fleet `job/job.go` (keys and their old spellings, values),
 * `unit/unit.go` (several quoted values on a line), `api/units.go` (what is refused at submit).
 */
import { globMatcher } from '../../base/glob.ts'
import { isMachineId, isShortMachineId } from '../../base/ids.ts'
import { cut } from './docker-values.ts'
import { parseUnitName } from './names.ts'
import type { LocatedOption, ParsedUnitName, PlacementRules } from './types.ts'
import { expandValue, toTemplate } from './words.ts'

/** Each key with the spelling that fleet kept for old files. */
export const fleetKeys: Readonly<Record<string, string>> = {
  MachineID: 'MachineID',
  'X-ConditionMachineID': 'MachineID',
  MachineMetadata: 'MachineMetadata',
  'X-ConditionMachineMetadata': 'MachineMetadata',
  MachineOf: 'MachineOf',
  'X-ConditionMachineOf': 'MachineOf',
  Conflicts: 'Conflicts',
  'X-Conflicts': 'Conflicts',
  Global: 'Global',
  Replaces: 'Replaces',
}

export type Report = (line: number, reason: string) => void

/** A bound on what one line can cost. */
const valuesMax = 4096

/** What fleet itself knows. */
type FleetRules = Omit<
  PlacementRules,
  'spread' | 'prefer' | 'strategy' | 'priority' | 'fencing' | 'fencingGraceMs' | 'minAvailable'
>

interface Collected {
  machineIds: { value: string; line: number }[]
  global: boolean
  readonly lists: Record<'MachineOf' | 'Conflicts' | 'Replaces', string[]>
  metadata: Map<string, string[]>
}

/** Reads the options of `[X-Fleet]`; what is wrong goes to `report`. */
export function readPlacement(
  options: readonly LocatedOption[],
  name: ParsedUnitName,
  report: Report,
): FleetRules {
  const collected: Collected = {
    machineIds: [],
    global: false,
    lists: { MachineOf: [], Conflicts: [], Replaces: [] },
    metadata: new Map(),
  }
  for (const option of options) {
    const key = Object.hasOwn(fleetKeys, option.name) ? fleetKeys[option.name] : undefined
    if (key === undefined) continue
    for (const value of valuesOf(option, name, report) ?? []) {
      readValue(collected, key, value, option.line, name, report)
    }
    if (option.value === '') reset(collected, key)
  }
  const rules: FleetRules = {
    machineId: oneMachineId(collected.machineIds, report),
    global: collected.global,
    machineOf: collected.lists.MachineOf,
    conflicts: collected.lists.Conflicts,
    replaces: collected.lists.Replaces,
    metadata: Object.fromEntries(collected.metadata),
  }
  for (const reason of contradictions(rules)) report(options[0]?.line ?? 0, reason)
  return rules
}

function reset(collected: Collected, key: string): void {
  if (key === 'MachineID') collected.machineIds = []
  else if (key === 'Global') collected.global = false
  else if (key === 'MachineMetadata') collected.metadata = new Map()
  else collected.lists[key as keyof Collected['lists']] = []
}

/**
 * The values of a line, as fleet reads them (`unit/unit.go`), with no specifiers put in: double quotes
 * around each of several, and nothing else that systemd has. A backslash is one, as names of units hold
 * it (`my\x2dapp.service`), and so is an apostrophe. Or why it cannot be meant.
 */
function writtenValues({ name, value: line }: LocatedOption): readonly string[] | string {
  const key = fleetKeys[name]
  const isMany = line.startsWith('"') && line.endsWith('"')
  if (!isMany && line.startsWith('"')) return 'put each value between double quotes, or none'
  // Conflicts alone takes several without quotes (fleet `splitCombine`).
  if (!isMany && key === 'Conflicts') return line.split(/[ \t]+/)
  if (!isMany) {
    const isOneLabel = key === 'MachineMetadata' && line.split('=').length === 2
    return /\s/.test(line) && !isOneLabel
      ? 'put each of several values between double quotes, or write a line for each'
      : [line]
  }
  // Every other part stands between quotes; what stands between two values is spaces.
  const parts = line.split('"')
  if (parts.length % 2 === 0) return 'a quote (") is not closed'
  const values: string[] = []
  let value = ''
  for (const [at, part] of parts.entries()) {
    const [first = '', ...more] = at % 2 === 1 ? [part] : part.split(/[ \t]/)
    value += first
    for (const next of more) {
      values.push(value)
      value = next
    }
  }
  values.push(value)
  return key === 'Conflicts' ? values.flatMap((each) => each.split(/[ \t]+/)) : values
}

/** The values of a line, specifiers of the unit's name put in; undefined where that is reported. */
export function valuesOf(
  option: LocatedOption,
  name: ParsedUnitName,
  report: Report,
): readonly string[] | undefined {
  const written = writtenValues(option)
  const reject = (reason: string): undefined => {
    report(option.line, `${option.name}=${option.value}: ${reason}`)
    return undefined
  }
  if (typeof written === 'string') return reject(written)
  const words = written.filter((value) => value !== '')
  if (words.length > valuesMax) return reject(`a line has at most ${valuesMax} values`)
  const values: string[] = []
  for (const word of words) {
    const made = toTemplate(word, name, { variables: false })
    if (!made.ok) return reject(made.reason)
    if (made.template.some((part) => part.kind === 'specifier' && /[mH]/.test(part.letter))) {
      return reject('a rule cannot depend on the machine it chooses: %m and %H say nothing here')
    }
    // In a template the specifiers stay, for the instances.
    const keep = { specifier: (letter: string) => `%${letter}`, variable: () => '' }
    values.push(expandValue(made.template, keep))
  }
  return values
}

/** Of `MachineOf`, `Conflicts` and `Replaces` each: every plan looks at all of them for every unit. */
const namesMax = 256
/** Longer than any name of a unit, and long enough for classes of letters. */
const patternCharactersMax = 1024

function addName(
  collected: Collected,
  key: keyof Collected['lists'],
  value: string,
  line: number,
  report: Report,
): void {
  const names = collected.lists[key]
  if (names.length > namesMax) return
  names.push(value)
  if (names.length > namesMax) report(line, `${key}=: a unit has at most ${namesMax} of them`)
}

function readValue(
  collected: Collected,
  key: string,
  value: string,
  line: number,
  name: ParsedUnitName,
  report: Report,
): void {
  const waits = name.kind === 'template' && value.includes('%')
  switch (key) {
    case 'MachineID':
      collected.machineIds.push({ value, line })
      if (!waits && !isMachineId(value) && !isShortMachineId(value)) {
        report(line, `MachineID=${value}: write the id, 32 lower-case hex digits, or its first 8`)
      }
      return
    case 'Global': {
      const global = readBoolean(value)
      if (global === undefined) report(line, `Global=${value}: write true or false`)
      else collected.global = global
      return
    }
    case 'MachineMetadata': {
      const [metadataKey, wanted] = cut(value, '=')
      if (metadataKey === '' || wanted === undefined || wanted === '' || wanted.includes('=')) {
        report(line, `MachineMetadata=${value}: write key=value`)
        return
      }
      const values = collected.metadata.get(metadataKey) ?? []
      collected.metadata.set(metadataKey, [...values, wanted])
      return
    }
    case 'MachineOf': {
      const other = waits ? undefined : parseUnitName(value)
      if (other?.ok === false) report(line, `MachineOf=${value}: ${other.reason}`)
      else if (other?.ok === true && other.name.kind === 'template') {
        report(line, `MachineOf=${value}: a template runs nowhere; name one of its instances`)
      } else if (value === name.name) report(line, `MachineOf=${value}: that is this unit itself`)
      addName(collected, key, value, line, report)
      return
    }
    default:
      if (value.length > patternCharactersMax) {
        report(line, `${key}=: a pattern has at most ${patternCharactersMax} characters`)
        return
      }
      if (globMatcher(value) === undefined) report(line, `${key}=${value}: not a shell pattern`)
      addName(collected, key as 'Conflicts' | 'Replaces', value, line, report)
  }
}

export function readBoolean(text: string): boolean | undefined {
  if (/^(true|yes|1|on|t)$/i.test(text)) return true
  if (/^(false|no|0|off|f)$/i.test(text)) return false
  return undefined
}

function oneMachineId(
  ids: readonly { value: string; line: number }[],
  report: Report,
): string | undefined {
  const first = ids[0]?.value
  const other = ids.find(({ value }) => value !== first)
  if (other !== undefined) report(other.line, 'MachineID: a unit cannot be on two machines')
  return first
}

/**
 * What fleet refuses at submit, in its words and its order (`api/units.go`). "Peers" is what it calls
 * the units of `MachineOf=`.
 */
function contradictions(rules: FleetRules): readonly string[] {
  const has = {
    MachineID: rules.machineId !== undefined,
    Peers: rules.machineOf.length > 0,
    Conflicts: rules.conflicts.length > 0,
    Global: rules.global,
    Replaces: rules.replaces.length > 0,
  }
  const pairs: readonly (readonly [keyof typeof has, keyof typeof has])[] = [
    ['MachineID', 'Peers'],
    ['MachineID', 'Conflicts'],
    ['MachineID', 'Global'],
    ['MachineID', 'Replaces'],
    ['Global', 'Peers'],
    ['Global', 'Replaces'],
    ['Conflicts', 'Replaces'],
  ]
  const together = pairs
    .filter(([a, b]) => has[a] && has[b])
    .map(([a, b]) => `${a} cannot be used with ${b}${b === 'Peers' ? ' (MachineOf)' : ''}`)
  return [...driversAway(rules), ...together]
}

/** A reason of `contradictions` as fleet's own API words it; undefined for one that is not fleet's. */
export const inFleetsWords = (reason: string): string | undefined =>
  /^(?:\w+ cannot be used with \w+|unresolvable requirements: peer .*)/s.exec(reason)?.[0]

function* driversAway({ machineOf, conflicts, replaces }: FleetRules): Generator<string> {
  const wanted = (peer: string): string => `unresolvable requirements: peer ${JSON.stringify(peer)}`
  const matchers = [
    ...conflicts.map((pattern) => ({ pattern, what: 'conflict', matches: globMatcher(pattern) })),
    ...replaces.map((pattern) => ({ pattern, what: 'replace', matches: globMatcher(pattern) })),
  ]
  for (const peer of machineOf) {
    for (const { pattern, what, matches } of matchers) {
      if (matches?.(peer) === true) {
        yield `${wanted(peer)} matches ${what} ${JSON.stringify(pattern)}`
      }
    }
  }
}
