/**
 * The rules of unit files, checked from outside: what the files say against what the engines run.
 * It shares no code with the scheduler or its checker, so that a mistake there is seen here.
 */
import { matchesGlob } from 'node:path'

/** What a file's `[X-Fleet]` section says. */
export interface FileRules {
  readonly machineId: string | undefined
  readonly machineOf: readonly string[]
  readonly conflicts: readonly string[]
  readonly global: boolean
  /** `key=value`; for each key one of its values must fit. */
  readonly metadata: readonly string[]
  /** It has a named volume, which is on one machine: it waits where that is lost. */
  readonly hasVolume: boolean
}

export interface SeenMachine {
  /** By which containers are known to be there. */
  readonly name: string
  readonly id: string
  readonly metadata: Readonly<Record<string, string>>
}

/** One running container. */
export interface SeenUnit {
  readonly unit: string
  /** The machine's name. */
  readonly machine: string
}

export interface RuleFindings {
  /** What may not be, at any time. */
  readonly broken: readonly string[]
  /** What shall be and is not there yet. */
  readonly missing: readonly string[]
}

export function rulesOf(file: string): FileRules {
  const section = /^\[X-Fleet\]$([^[]*)/m.exec(file)?.[1] ?? ''
  const values = (key: string): string[] =>
    [...section.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, value = '']) =>
      value.split(/\s+/).map((word) => word.replaceAll('"', '')),
    )
  return {
    machineId: values('MachineID')[0],
    machineOf: values('MachineOf'),
    conflicts: values('Conflicts'),
    global: values('Global')[0] === 'true',
    metadata: values('MachineMetadata'),
    hasVolume: /\s(-v|--volume)[ =][^/\s]/.test(file),
  }
}

/**
 * `units` shall run on `machines`, which are all that can be looked into. A unit whose only
 * machine is not among them is not missed; nor, where some are `away`, one that may wait for its volume.
 */
export function checkRules(
  units: ReadonlyMap<string, FileRules>,
  machines: readonly SeenMachine[],
  running: readonly SeenUnit[],
  { away = false } = {},
): RuleFindings {
  const broken: string[] = []
  const missing: string[] = []
  for (const { unit, machine } of running) {
    if (!units.has(unit)) broken.push(`${unit} runs on ${machine} and should run nowhere`)
  }
  for (const [unit, rules] of units) {
    const at = running.filter((one) => one.unit === unit).map(({ machine }) => machine)
    const fitting = machines.filter((machine) => fits(rules, machine)).map(({ name }) => name)
    broken.push(...copies(unit, rules, at))
    for (const name of new Set(at)) {
      if (!fitting.includes(name)) broken.push(`${unit} runs on ${name}, which it may not`)
      broken.push(...conflicts(unit, rules, name, running))
      for (const peer of rules.machineOf) {
        const places = running.filter((one) => one.unit === peer).map(({ machine }) => machine)
        const text = `${unit} runs on ${name} without ${peer}`
        if (places.length === 0) missing.push(text)
        else if (!places.includes(name)) broken.push(text)
      }
    }
    const mayWait = away && rules.hasVolume
    const isMissed = at.length === 0 && fitting.length > 0 && !mayWait
    const wanted = rules.global ? fitting : isMissed ? ['any'] : []
    for (const name of wanted) {
      if (at.includes(name)) continue
      missing.push(rules.global ? `${unit} on ${name}` : `${unit} on ${fitting.join(' or ')}`)
    }
  }
  return { broken, missing }
}

function copies(unit: string, rules: FileRules, at: readonly string[]): string[] {
  const twice = at.find((name, position) => at.indexOf(name) !== position)
  if (twice !== undefined) return [`${unit} runs twice on ${twice}`]
  if (rules.global || at.length < 2) return []
  return [`${unit} runs on ${at.join(' and ')}, and there may be only one`]
}

function fits(rules: FileRules, machine: SeenMachine): boolean {
  if (rules.machineId !== undefined && rules.machineId !== machine.id) return false
  const keys = new Set(rules.metadata.map((pair) => pair.slice(0, pair.indexOf('='))))
  return [...keys].every((key) => rules.metadata.includes(`${key}=${machine.metadata[key] ?? ''}`))
}

const conflicts = (
  unit: string,
  rules: FileRules,
  name: string,
  running: readonly SeenUnit[],
): string[] =>
  running
    .filter(({ unit: other, machine }) => machine === name && other !== unit)
    .filter(({ unit: other }) => rules.conflicts.some((pattern) => matchesGlob(other, pattern)))
    .map(({ unit: other }) => `${unit} runs beside ${other} on ${name}`)
