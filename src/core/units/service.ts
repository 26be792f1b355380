/** The `[Unit]` and `[Service]` values that are no commands. Source: systemd.unit(5), .service(5). */
import { parseInteger } from './docker-values.ts'
import { isVariableName } from './environment.ts'
import { parseUnitName } from './names.ts'
import type { Report } from './placement.ts'
import { parseTimeSpan } from './time-span.ts'
import type {
  Dependencies,
  EnvironmentFile,
  KillMode,
  LocatedOption,
  ParsedUnitName,
  RestartPolicy,
  StartLimit,
  Step,
  StopRule,
  Template,
} from './types.ts'
import { expandValue, splitWords, toTemplate } from './words.ts'

/** systemd's DefaultTimeoutStartSec and DefaultTimeoutStopSec. */
export const defaultTimeoutMs = 90_000
/** systemd's default of RestartSec. */
export const defaultRestartDelayMs = 100
/** What `docker stop` waits without `-t`. */
const dockerStopGraceMs = 10_000

/** The values of one key in order; an empty assignment forgets those before it. */
export function valuesOfKey(
  options: readonly LocatedOption[],
  section: string,
  key: string,
): readonly LocatedOption[] {
  const all = options.filter((option) => option.section === section && option.name === key)
  const reset = all.findLastIndex((option) => option.value === '')
  return all.slice(reset + 1)
}

export function readEnvironment(
  options: readonly LocatedOption[],
  name: ParsedUnitName,
  report: Report,
): readonly { name: string; value: Template }[] {
  const environment: { name: string; value: Template }[] = []
  for (const option of valuesOfKey(options, 'Service', 'Environment')) {
    const split = splitWords(option.value)
    if (!split.ok) report(option.line, `Environment=: ${split.reason}`)
    for (const word of split.ok ? split.words : []) {
      const equals = word.indexOf('=')
      const variable = word.slice(0, Math.max(equals, 0))
      if (!isVariableName(variable)) {
        report(option.line, `Environment=${word}: write NAME=value, in quotes if it holds spaces`)
        continue
      }
      const value = toTemplate(word.slice(equals + 1), name, { variables: false })
      if (value.ok) environment.push({ name: variable, value: value.template })
      else report(option.line, `Environment=${word}: ${value.reason}`)
    }
  }
  return environment
}

export function readEnvironmentFiles(
  options: readonly LocatedOption[],
  name: ParsedUnitName,
  report: Report,
): readonly EnvironmentFile[] {
  return valuesOfKey(options, 'Service', 'EnvironmentFile').flatMap(({ value, line }) => {
    const optional = value.startsWith('-')
    const text = optional ? value.slice(1) : value
    const path = toTemplate(text, name, { variables: false })
    if (!path.ok) report(line, `EnvironmentFile=${value}: ${path.reason}`)
    else if (!text.startsWith('/')) report(line, `EnvironmentFile=${value}: write an absolute path`)
    else if (/[*?[]/.test(text)) report(line, `EnvironmentFile=${value}: name one file, no pattern`)
    else return [{ path: path.template, optional }]
    return []
  })
}

/** Undefined: no limit. 0 means no limit too, as in systemd. */
export function readTimeout(
  options: readonly LocatedOption[],
  key: 'TimeoutStartSec' | 'TimeoutStopSec',
  report: Report,
): number | undefined {
  const option = valuesOfKey(options, 'Service', key).at(-1)
  if (option === undefined) return defaultTimeoutMs
  const ms = parseTimeSpan(option.value)
  if (ms === undefined) {
    report(option.line, `${key}=${option.value}: write a time, such as 30s or 5min, or infinity`)
  }
  return ms === undefined || ms === 0 || ms === Infinity ? undefined : ms
}

export function readRestartDelay(options: readonly LocatedOption[], report: Report): number {
  const option = valuesOfKey(options, 'Service', 'RestartSec').at(-1)
  if (option === undefined) return defaultRestartDelayMs
  const ms = parseTimeSpan(option.value)
  if (ms !== undefined && ms !== Infinity) return ms
  report(option.line, `RestartSec=${option.value}: write a time, such as 10s`)
  return defaultRestartDelayMs
}

/** systemd's DefaultStartLimitBurst. */
const defaultBurst = 5
const burstMax = 1000
/** Longer than systemd's 10 s: the delay before a restart grows here, and there it does not. */
const defaultSteadyMs = 60_000

export function readStartLimit(options: readonly LocatedOption[], report: Report): StartLimit {
  const burst = valuesOfKey(options, 'Unit', 'StartLimitBurst').at(-1)
  const times = burst === undefined ? defaultBurst : parseInteger(burst.value, 1, burstMax)
  if (burst !== undefined && times === undefined) {
    const range = `a whole number from 1 to ${burstMax}`
    report(burst.line, `StartLimitBurst=${burst.value}: write ${range}`)
  }
  const interval = valuesOfKey(options, 'Unit', 'StartLimitIntervalSec').at(-1)
  const steadyMs = interval === undefined ? defaultSteadyMs : parseTimeSpan(interval.value)
  if (interval !== undefined && steadyMs === undefined) {
    report(interval.line, `StartLimitIntervalSec=${interval.value}: write a time, such as 1min`)
  }
  return {
    burst: steadyMs === 0 ? Infinity : (times ?? defaultBurst),
    steadyMs: steadyMs ?? defaultSteadyMs,
  }
}

const restartPolicies: readonly RestartPolicy[] = [
  'no',
  'always',
  'on-success',
  'on-failure',
  'on-abnormal',
  'on-abort',
]

const killModes: readonly KillMode[] = ['control-group', 'mixed', 'process', 'none']

export const readRestart = (options: readonly LocatedOption[], report: Report): RestartPolicy =>
  readChoice(options, 'Restart', restartPolicies, 'no', report)

export const readKillMode = (options: readonly LocatedOption[], report: Report): KillMode =>
  readChoice(options, 'KillMode', killModes, 'control-group', report)

function readChoice<T extends string>(
  options: readonly LocatedOption[],
  key: string,
  choices: readonly T[],
  fallback: T,
  report: Report,
): T {
  const option = valuesOfKey(options, 'Service', key).at(-1)
  if (option === undefined) return fallback
  const choice = choices.find((one) => one === option.value)
  if (choice === undefined) {
    report(option.line, `${key}=${option.value}: write one of ${choices.join(', ')}`)
  }
  return choice ?? fallback
}

/** What every machine has, or is past by the time its agent runs: no effect, as any target. */
const everywhere = new Set(['docker.service', 'docker.socket', 'containerd.service'])

export function readDependencies(
  options: readonly LocatedOption[],
  name: ParsedUnitName,
  report: Report,
): Dependencies {
  const read = (key: string): readonly string[] =>
    valuesOfKey(options, 'Unit', key).flatMap(({ value, line }) => {
      const split = splitWords(value)
      if (!split.ok) report(line, `${key}=${value}: ${split.reason}`)
      return (split.ok ? split.words : []).flatMap((word) => {
        const dependency = readDependency(word, name)
        if (typeof dependency === 'string') report(line, `${key}=${value}: ${dependency}`)
        return typeof dependency === 'string' ? [] : dependency
      })
    })
  return {
    after: read('After'),
    requires: read('Requires'),
    wants: read('Wants'),
    bindsTo: read('BindsTo'),
  }
}

/** No name, one name, or a reason against it. */
function readDependency(word: string, name: ParsedUnitName): readonly string[] | string {
  const template = toTemplate(word, name, { variables: false })
  if (!template.ok) return template.reason
  if (template.template.some((part) => part.kind === 'specifier' && /[mH]/.test(part.letter))) {
    return '%m and %H say nothing here: units are not bound to the machine they are on'
  }
  const keep = { specifier: (letter: string) => `%${letter}`, variable: () => '' }
  const other = expandValue(template.template, keep)
  if (everywhere.has(other) || /^[\w@.:\\-]+\.target$/.test(other)) return []
  if (name.kind === 'template' && other.includes('%')) return [other]
  if (other === name.name) return `${other} is this unit itself`
  const parsed = parseUnitName(other)
  if (!parsed.ok) return `${other}: ${parsed.reason}`
  return parsed.name.kind === 'template' ? `${other} is a template; name an instance` : [other]
}

/** How stopping goes, from the first `ExecStop=` that says it, within `TimeoutStopSec=`. */
export function stopRule(steps: readonly Step[], timeoutStopMs: number | undefined): StopRule {
  for (const { phase, action } of steps) {
    if (phase !== 'stop') continue
    if (action.kind === 'stop') {
      const graceMs = action.graceMs ?? dockerStopGraceMs
      return { signal: undefined, graceMs: Math.min(graceMs, timeoutStopMs ?? graceMs) }
    }
    if (action.kind === 'kill') return { signal: action.signal, graceMs: timeoutStopMs }
    if (action.kind === 'remove') return { signal: 'SIGKILL', graceMs: timeoutStopMs }
  }
  return { signal: undefined, graceMs: timeoutStopMs }
}
