/**
 * The `Exec…=` lines. `ExecStart=` is one `docker run`; the others are Docker commands about the
 * unit's own container or an image, understood here so that no shell and no client is needed.
 */
import { isImageReference } from './docker-run.ts'
import { cut, parseInteger } from './docker-values.ts'
import type { ParsedUnitName, Step, Template } from './types.ts'
import { expandValue, splitWords, toTemplate, unknownPiece } from './words.ts'
import type { Resolver } from './words.ts'

export interface CommandLine {
  readonly ignoreFailure: boolean
  /** The words after `docker`. */
  readonly words: readonly Template[]
}

export type CommandResult =
  | { readonly ok: true; readonly command: CommandLine }
  | { readonly ok: false; readonly reason: string }

const dockerPaths = ['docker', '/usr/bin/docker', '/bin/docker', '/usr/local/bin/docker']

/** Splits an `Exec…=` value, takes its prefixes off and asks for `docker` as the program. */
export function readCommand(value: string, name: ParsedUnitName): CommandResult {
  const prefix = /^[-@:+!]*/.exec(value)?.[0] ?? ''
  const strange = /[^-]/.exec(prefix)?.[0]
  if (strange !== undefined) {
    return { ok: false, reason: `${strange}: of the prefixes only - is understood` }
  }
  const split = splitWords(value.slice(prefix.length))
  if (!split.ok) return split
  const [program, ...rest] = split.words
  if (program === undefined) return { ok: false, reason: 'no command is given' }
  const refusal = refuseProgram(program)
  if (refusal !== undefined) return { ok: false, reason: refusal }
  const words: Template[] = []
  for (const word of rest) {
    if (word === ';') return { ok: false, reason: 'write one command a line, not several with ;' }
    const template = toTemplate(word === '\\;' ? ';' : word, name, { variables: true })
    if (!template.ok) return template
    words.push(template.template)
  }
  return { ok: true, command: { ignoreFailure: prefix !== '', words } }
}

function refuseProgram(program: string): string | undefined {
  if (dockerPaths.includes(program)) return undefined
  if (/(^|\/)(ba|da|z|k)?sh$/.test(program)) {
    return `${program}: no shell runs on the machines; write the docker command itself`
  }
  return `${program}: a unit here is a container; write a docker command`
}

/** What `phase` of an `Exec…=` key means. */
export const phaseOfKey: Readonly<Record<string, Step['phase']>> = {
  ExecStartPre: 'start-pre',
  ExecStartPost: 'start-post',
  ExecStop: 'stop',
  ExecStopPost: 'stop-post',
}

export type StepResult =
  { readonly ok: true; readonly step: Step } | { readonly ok: false; readonly reason: string }

/** `ownName` is what `--name` of the `docker run` line gives, expanded by the same `resolver`. */
export function readStep(
  phase: Step['phase'],
  command: CommandLine,
  resolver: Resolver,
  ownName: string | undefined,
): StepResult {
  const words = command.words.map((word) => expandValue(word, resolver))
  const [verb, ...rest] = words
  const { ignoreFailure } = command
  if (verb === 'pull') {
    const action = readPull(rest, command.words.slice(1))
    if (typeof action === 'string') return { ok: false, reason: action }
    if (phase !== 'start-pre') {
      return { ok: false, reason: 'docker pull: only ExecStartPre= pulls an image' }
    }
    return { ok: true, step: { phase, ignoreFailure, action } }
  }
  if (verb === 'kill' || verb === 'rm' || verb === 'stop') {
    const action = readOwnAction(verb, rest, ownName)
    if (typeof action === 'string') return { ok: false, reason: action }
    return { ok: true, step: { phase, ignoreFailure, action } }
  }
  return {
    ok: false,
    reason: `docker ${verb ?? ''}: understood are docker pull, kill, rm and stop; see docs/units.md`,
  }
}

function readPull(
  rest: readonly string[],
  templates: readonly Template[],
): Step['action'] | string {
  const flag = rest.findIndex((word) => word.startsWith('-') && !/^(-q|--quiet)$/.test(word))
  if (flag >= 0) return `docker pull ${rest[flag]}: this flag is not understood`
  const images = templates.filter((_, at) => !(rest[at] as string).startsWith('-'))
  const image = images[0]
  if (image === undefined || images.length > 1) return 'docker pull: name one image'
  const text = rest[templates.indexOf(image)] as string
  if (!text.includes(unknownPiece) && !isImageReference(text)) {
    return `docker pull: ${JSON.stringify(text)} is not the name of an image`
  }
  return { kind: 'pull', image }
}

/** Flags of kill, rm and stop: with a value, or alone. */
const ownFlags: Readonly<
  Record<'kill' | 'rm' | 'stop', { valued: readonly string[]; bare: readonly string[] }>
> = {
  kill: { valued: ['-s', '--signal'], bare: [] },
  rm: { valued: [], bare: ['-f', '--force', '-v', '--volumes', '-fv', '-vf'] },
  stop: { valued: ['-t', '--time'], bare: [] },
}

function readOwnAction(
  verb: 'kill' | 'rm' | 'stop',
  rest: readonly string[],
  ownName: string | undefined,
): Step['action'] | string {
  let given: string | undefined
  const names: string[] = []
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] as string
    const [flag, joined] = word.startsWith('--') ? cut(word, '=') : [word.slice(0, 2), undefined]
    const { valued, bare } = ownFlags[verb]
    if (!word.startsWith('-')) names.push(word)
    else if (valued.includes(flag)) {
      const attached = word.startsWith('--') ? joined : word.slice(2).replace(/^=/, '') || undefined
      if (attached === undefined) at += 1
      given = attached ?? rest[at]
      if (given === undefined) return `docker ${verb} ${flag}: a value is missing`
    } else if (!bare.includes(word)) return `docker ${verb} ${word}: this flag is not understood`
  }
  const stranger = names.find((name) => name !== ownName)
  if (names.length === 0) return `docker ${verb}: no container is named`
  if (ownName === undefined) {
    return `docker ${verb}: give the container a name with --name in ExecStart= to refer to it`
  }
  if (stranger !== undefined) {
    return `docker ${verb} ${stranger}: only the unit's own container, ${ownName}, may be named`
  }
  if (verb === 'rm') return { kind: 'remove' }
  if (verb === 'kill') return killAction(given)
  if (given === undefined) return { kind: 'stop', graceMs: undefined }
  const seconds = parseInteger(given, 0, 2 ** 31 - 1)
  return seconds === undefined
    ? `docker stop: ${given} is not a number of seconds`
    : { kind: 'stop', graceMs: seconds * 1000 }
}

function killAction(given: string | undefined): Step['action'] | string {
  const signal = (given ?? 'KILL').toUpperCase().replace(/^SIG/, '')
  if (!/^([A-Z][A-Z0-9+-]{1,11}|[1-9]\d?)$/.test(signal)) {
    return `docker kill: ${given ?? ''} is not a signal`
  }
  return { kind: 'kill', signal: /^\d/.test(signal) ? signal : `SIG${signal}` }
}
