/** Small ways to say "this file" and "this line" in the tests of units. */
import { assert } from '../../../src/base/assert.ts'
import type { ContainerSpec } from '../../../src/base/container-spec.ts'
import { machineId } from '../../../src/base/ids.ts'
import { containerFor } from '../../../src/core/units/container.ts'
import { parseDockerRun } from '../../../src/core/units/docker-run.ts'
import type {
  ContainerResult,
  ParseResult,
  UnitProblem,
  UnitSpec,
} from '../../../src/core/units/types.ts'
import { parseUnit } from '../../../src/core/units/unit.ts'

export const someMachine = machineId('0123456789abcdef0123456789abcdef')

/** A unit whose `[Service]` is a plain container and these lines. */
export const withService = (...lines: readonly string[]): string =>
  ['[Service]', 'ExecStart=/usr/bin/docker run --name web busybox', ...lines].join('\n')

export const withFleet = (...lines: readonly string[]): string =>
  [withService(), '[X-Fleet]', ...lines].join('\n')

export function specOf(text: string, name = 'web.service'): UnitSpec {
  const result = parseUnit(name, text)
  assert(result.ok, JSON.stringify(result))
  return result.spec
}

export const problemsOf = (result: ParseResult): readonly UnitProblem[] =>
  result.ok ? [] : result.problems

/** `line: reason` of each problem, or nothing when the file is accepted. */
export const refusals = (text: string, name = 'web.service'): readonly string[] =>
  problemsOf(parseUnit(name, text, { isNew: true })).map(({ line, reason }) => `${line}: ${reason}`)

export const onMachine = (
  spec: UnitSpec,
  files: Readonly<Record<string, string | null>> = {},
): ContainerResult =>
  containerFor(spec, {
    machineId: someMachine,
    hostname: 'alpha',
    files: new Map(Object.entries(files)),
  })

export function containerOf(
  spec: UnitSpec,
  files: Readonly<Record<string, string | null>> = {},
): ContainerSpec {
  const result = onMachine(spec, files)
  assert(result.kind === 'ready', JSON.stringify(result))
  return result.container
}

/** The body for these words, or the reasons against them. Every file says `NAME=value`. */
export function dockerRun(words: readonly string[]): ContainerSpec | readonly string[] {
  const result = parseDockerRun(words, {
    variable: () => undefined,
    read: () => ({ kind: 'text', text: 'NAME=value\n' }),
  })
  if (!result.ok) return result.reasons
  assert(result.run.container !== undefined, 'nothing here waits for a machine')
  return result.run.container
}
