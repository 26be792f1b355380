/** A unit file to its `UnitSpec`, or to every reason against it with file and line. */
import { readChoice, readNeeds } from './choice.ts'
import { phaseOfKey, readCommand, readStep } from './commands.ts'
import { checkAtSubmit } from './container.ts'
import type { SubmitCheck } from './container.ts'
import { refuseKey } from './keys.ts'
import { parseUnitName } from './names.ts'
import { parseOptions } from './options.ts'
import { readPlacement } from './placement.ts'
import { readFencing } from './fencing.ts'
import { hasContainerSection, readContainerSection, refuseOtherFiles } from './quadlet.ts'
import type { Report } from './placement.ts'
import * as service from './service.ts'
import type {
  ContainerPlan,
  LocatedOption,
  ParsedUnitName,
  ParseResult,
  Step,
  UnitOption,
  UnitProblem,
  UnitSpec,
} from './types.ts'
import { refuseVainNames } from './vain.ts'
import { describeTemplate } from './words.ts'

/** Enough to mend a file by; a file of noise does not make a page of noise. */
const problemsMax = 50

type ProblemCode = UnitProblem['code']

export interface ParseOptions {
  /** How problems name the file; default: the unit's name. */
  readonly file?: string
  /** Somebody hands it in: it is refused for more than a unit that is there already. */
  readonly isNew?: boolean
}

/** Parses the text of a unit file. */
export function parseUnit(
  name: string,
  text: string,
  { file = name, isNew = false }: ParseOptions = {},
): ParseResult {
  const parsed = parseOptions(text)
  if (parsed.ok) return parseUnitOptions(name, parsed.options, { file, isNew })
  const code: ProblemCode = 'JGD_UNIT_SYNTAX'
  const problems = parsed.problems.map(({ line, reason }) => ({ file, line, reason, code }))
  return { ok: false, problems: problems.slice(0, problemsMax) }
}

/**
 * The instance `name` (`hello@3.service`) of a template's text. As `parseUnit`, but only for an
 * instance, and `file` names the template.
 */
export function instantiate(name: string, templateText: string): ParseResult {
  const parsed = parseUnitName(name)
  if (parsed.ok && parsed.name.templateName === undefined) {
    const reason = `${name} is not an instance of a template`
    return { ok: false, problems: [{ file: name, line: 0, reason, code: 'JGD_UNIT_NAME' }] }
  }
  const file = parsed.ok ? (parsed.name.templateName ?? name) : name
  return parseUnit(name, templateText, { file })
}

/** As `parseUnit`, from the options that fleet's API carries; without a line they have line 0. */
export function parseUnitOptions(
  nameText: string,
  given: readonly (UnitOption & { readonly line?: number })[],
  { file = nameText, isNew = false }: ParseOptions = {},
): ParseResult {
  const problems: UnitProblem[] = []
  const add = (line: number, reason: string, code: ProblemCode): void => {
    if (problems.length < problemsMax) problems.push({ file, line, reason, code })
  }
  const report: Report = (line, reason) => add(line, reason, 'JGD_UNIT_UNSUPPORTED')
  const options = given.map((option): LocatedOption => ({ line: 0, ...option }))
  const parsed = parseUnitName(nameText)
  if (!parsed.ok) {
    add(0, parsed.reason, 'JGD_UNIT_NAME')
    return { ok: false, problems }
  }
  for (const { section, name, line } of options) {
    const refusal = refuseKey(section, name)
    if (refusal !== undefined) report(line, refusal)
  }
  if (isNew) refuseOtherFiles(options, report)
  if (isNew) refuseVainNames(options, report)
  const spec = readSpec(parsed.name, options, file, { report, problems })
  if (spec === undefined || problems.length > 0) {
    const sorted = problems.toSorted((a, b) => a.line - b.line)
    return { ok: false, problems: sorted }
  }
  return { ok: true, spec, options }
}

interface Problems {
  readonly report: Report
  readonly problems: UnitProblem[]
}

function readSpec(
  name: ParsedUnitName,
  options: readonly LocatedOption[],
  file: string,
  { report, problems }: Problems,
): UnitSpec | undefined {
  const environment = service.readEnvironment(options, name, report)
  const environmentFiles = service.readEnvironmentFiles(options, name, report)
  const timeoutStopMs = service.readTimeout(options, 'TimeoutStopSec', report)
  const ofFleet = options.filter((option) => option.section === 'X-Fleet')
  const rules = readPlacement(ofFleet, name, report)
  const common = {
    ...name,
    description: service.valuesOfKey(options, 'Unit', 'Description').at(-1)?.value ?? '',
    restart: service.readRestart(options, report),
    restartDelayMs: service.readRestartDelay(options, report),
    startLimit: service.readStartLimit(options, report),
    timeoutStartMs: service.readTimeout(options, 'TimeoutStartSec', report),
    timeoutCoversPulls: service.valuesOfKey(options, 'Service', 'TimeoutStartSec').length > 0,
    timeoutStopMs,
    killMode: service.readKillMode(options, report),
    dependencies: service.readDependencies(options, name, report),
    environment,
    environmentFiles,
    placement: {
      ...rules,
      ...readChoice(options, name, report),
      ...readFencing(options, rules, report),
    },
  }
  const container = readContainer(name, options, file, report)
  if (container === undefined) return undefined
  const check = checkAtSubmit({ ...common, container })
  problems.push(...check.problems)
  if (!check.result.ok) return undefined
  const steps = readSteps(name, options, check, check.result.run.name, report)
  const killModeLine = service.valuesOfKey(options, 'Service', 'KillMode').at(-1)?.line ?? 0
  if (common.killMode === 'none' && !steps.some(({ phase }) => phase === 'stop')) {
    report(
      killModeLine,
      'KillMode=none without ExecStop= would leave the container running after a stop',
    )
  }
  return {
    ...common,
    image: imageOf(container, check),
    container,
    pullPolicy: check.result.run.pullPolicy,
    needs: readNeeds(options, check.result.run.needs, report),
    stop: service.stopRule(steps, timeoutStopMs),
    steps,
  }
}

/** For people: the image as far as it is known, else the whole line as written. */
function imageOf(container: ContainerPlan, check: SubmitCheck): string {
  const known = check.result.ok ? check.result.run.image : undefined
  return known ?? container.words.map(describeTemplate).join(' ')
}

function readContainer(
  name: ParsedUnitName,
  options: readonly LocatedOption[],
  file: string,
  report: Report,
): ContainerPlan | undefined {
  const [start, second] = service.valuesOfKey(options, 'Service', 'ExecStart')
  if (hasContainerSection(options)) {
    if (start === undefined) return readContainerSection(options, name, file, report)
    report(start.line, 'ExecStart=: [Container] says what runs; one of the two is too many')
    return undefined
  }
  if (start === undefined) {
    report(
      0,
      'ExecStart= is missing in [Service]: write a docker run line, or a [Container] section',
    )
    return undefined
  }
  if (second !== undefined) {
    report(second.line, 'ExecStart=: a unit is one container, so it has one such line')
    return undefined
  }
  const read = readCommand(start.value, name)
  if (!read.ok) {
    report(start.line, `ExecStart=: ${read.reason}`)
    return undefined
  }
  const { words, ignoreFailure } = read.command
  const [verb, ...rest] = words
  const text = verb === undefined ? '' : describeTemplate(verb)
  if (text !== 'run') {
    report(start.line, `ExecStart=: write docker run …, not docker ${text}`)
    return undefined
  }
  return { words: rest, ignoreFailure, file, line: start.line }
}

function readSteps(
  name: ParsedUnitName,
  options: readonly LocatedOption[],
  check: SubmitCheck,
  ownName: string | undefined,
  report: Report,
): readonly Step[] {
  const steps: Step[] = []
  for (const [key, phase] of Object.entries(phaseOfKey)) {
    for (const { value, line } of service.valuesOfKey(options, 'Service', key)) {
      const command = readCommand(value, name)
      if (!command.ok) {
        report(line, `${key}=: ${command.reason}`)
        continue
      }
      const step = readStep(phase, command.command, check.resolver, ownName)
      if (step.ok) steps.push(step.step)
      else report(line, `${key}=: ${step.reason}`)
    }
  }
  return steps
}
