/**
 * From a unit to the container of one machine. At submit the same steps run with what the machine
 * decides left open, so that a line that can never start is refused before anyone waits for it.
 */
import { assert } from '../../base/assert.ts'
import type { Needs } from '../../base/room.ts'
import { parseEnvironmentFile } from './environment.ts'
import type { FileRead } from './docker-draft.ts'
import { parseDockerRun } from './docker-run.ts'
import type { RunLine } from './docker-run.ts'
import { explain } from './quadlet.ts'
import type { ContainerResult, MachineFacts, UnitProblem, UnitSpec } from './types.ts'
import { expandValue, expandWords } from './words.ts'
import type { Resolver } from './words.ts'

/** What of a unit decides its container. */
export type PlannedUnit = Pick<
  UnitSpec,
  'container' | 'environment' | 'environmentFiles' | 'steps' | 'kind'
>

type Specifiers = Resolver['specifier']

/**
 * The create body of `unit` on the machine of `facts`: `%m`, `%H`, environment files and
 * variables put in. The agent adds its labels and the container's name. Not for templates.
 */
export function containerFor(unit: PlannedUnit, facts: MachineFacts): ContainerResult {
  assert(unit.kind !== 'template', 'a template has no container')
  const specifier: Specifiers = (letter) =>
    letter === 'm' ? facts.machineId : letter === 'H' ? facts.hostname : undefined
  const missing = new Set<string>()
  const read = (path: string): FileRead => {
    const text = facts.files.get(path)
    if (text === undefined) missing.add(path)
    return text === undefined ? { kind: 'later' } : absentOrText(text)
  }
  const problems: UnitProblem[] = []
  const variables = readVariables(unit, specifier, read, problems)
  if (problems.length > 0) return { kind: 'problem', problems }
  // Flags may name files through variables, so these must be known first.
  if (missing.size > 0) return { kind: 'needs-files', paths: [...missing] }
  const resolver: Resolver = { specifier, variable: (name) => variables.get(name) ?? '' }
  const result = parseDockerRun(expandWords(unit.container.words, resolver), {
    variable: (name) => variables.get(name),
    read,
  })
  if (!result.ok) return { kind: 'problem', problems: problemsOf(unit, result.reasons) }
  if (missing.size > 0) return { kind: 'needs-files', paths: [...missing] }
  const { container, pullPolicy } = result.run
  assert(container !== undefined, 'nothing waits once the machine has answered')
  const pulls = unit.steps.flatMap(({ phase, action, ignoreFailure }) =>
    phase === 'start-pre' && action.kind === 'pull'
      ? [{ image: expandValue(action.image, resolver), ignoreFailure }]
      : [],
  )
  return { kind: 'ready', container, pullPolicy, pulls }
}

const absentOrText = (text: string | null): FileRead =>
  text === null ? { kind: 'absent' } : { kind: 'text', text }

function readVariables(
  unit: PlannedUnit,
  specifier: Specifiers,
  read: (path: string) => FileRead,
  problems: UnitProblem[],
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  const resolver: Resolver = { specifier, variable: () => '' }
  for (const { name, value } of unit.environment) variables.set(name, expandValue(value, resolver))
  for (const { path, optional } of unit.environmentFiles) {
    const place = expandValue(path, resolver)
    const file = read(place)
    if (file.kind === 'absent' && !optional) {
      problems.push(
        ...problemsOf(unit, [
          `EnvironmentFile=${place}: there is no such file on this machine (a leading - allows it)`,
        ]),
      )
    }
    if (file.kind !== 'text') continue
    for (const [name, value] of parseEnvironmentFile(file.text)) variables.set(name, value)
  }
  return variables
}

const problemsOf = (unit: PlannedUnit, reasons: readonly string[]): UnitProblem[] =>
  reasons.map((reason) => ({
    file: unit.container.file,
    ...explain(reason, unit.container),
    code: 'JGD_UNIT_UNSUPPORTED',
  }))

/**
 * Stand-ins at submit, when no machine is chosen. An id may be all digits or all letters: what
 * one of them fits and the other does not would start on some machines only.
 */
const anyMachineIds = ['0'.repeat(32), 'f'.repeat(32)] as const
const anyHostnames = ['machine', 'another'] as const

export interface SubmitCheck {
  readonly resolver: Resolver
  readonly result: { readonly ok: true; readonly run: RunLine } | { readonly ok: false }
  readonly problems: readonly UnitProblem[]
}

/** Checks the `docker run` line as far as it is known before a machine is chosen. */
export function checkAtSubmit(unit: Omit<PlannedUnit, 'steps'>): SubmitCheck {
  const digits = checkFor(unit, anyMachineIds[0], anyHostnames[0])
  if (!digits.result.ok) return digits
  const letters = checkFor(unit, anyMachineIds[1], anyHostnames[1])
  if (!letters.result.ok) return letters
  const run = {
    ...letters.result.run,
    needs: withoutMachinesOwn(letters.result.run.needs, digits.result.run.needs),
  }
  return { ...letters, result: { ok: true, run } }
}

/** Volumes whose names only the machine completes: each machine has its own, and none is elsewhere. */
function withoutMachinesOwn({ volumes, ...needs }: Needs, onAnother: Needs): Needs {
  const everywhere = volumes?.filter((name) => onAnother.volumes?.includes(name)) ?? []
  return everywhere.length === 0 ? needs : { ...needs, volumes: everywhere }
}

function checkFor(
  unit: Omit<PlannedUnit, 'steps'>,
  anyMachineId: string,
  anyHostname: string,
): SubmitCheck {
  const specifier: Specifiers = (letter) =>
    letter === 'm' ? anyMachineId : letter === 'H' ? anyHostname : undefined
  const fromUnit = new Map<string, string>()
  const values: Resolver = { specifier, variable: () => '' }
  for (const { name, value } of unit.environment) fromUnit.set(name, expandValue(value, values))
  const hasFiles = unit.environmentFiles.length > 0
  const resolver: Resolver = {
    specifier,
    // A file may set or replace any variable.
    variable: (name) => (hasFiles ? undefined : (fromUnit.get(name) ?? '')),
  }
  const result = parseDockerRun(expandWords(unit.container.words, resolver), {
    variable: (name) => fromUnit.get(name),
    read: () => ({ kind: 'later' }),
  })
  if (result.ok) return { resolver, result, problems: [] }
  return {
    resolver,
    result: { ok: false },
    problems: problemsOf({ ...unit, steps: [] }, result.reasons),
  }
}
