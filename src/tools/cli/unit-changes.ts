/** What `submit`, `load`, `start`, `stop` and `unload` share: asking for a state, and waiting. */
import type { Options } from 'yargs'
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import { expandNames, parseUnitName, withServiceSuffix } from '../../core/units/names.ts'
import type { UnitRow, UnitsAnswer, UnitWritten } from '../../node/api/answers.ts'
import { type Arguments, usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'
import { type NodeClient, segment } from './node-client.ts'
import { requireReplaceable } from './replacing.ts'
import { printJson } from './table.ts'
import { isQuadletFile, unitOfFile } from './unit-names.ts'
import { hasEnded, placeText, rowText } from './unit-row.ts'
import { Slow } from './slow.ts'
import { Unplaced } from './unplaced.ts'

export type Desired = 'inactive' | 'loaded' | 'launched'

const pollMs = 250
const timeoutSecondsDefault = 300
/** A unit that is to run and is still "dead" this long after it was placed has ended. */
const endedAfterMs = 5000
/** Each question is a look at the whole cluster. */
const globalsAsked = 20

export const replaceOption: Readonly<Record<string, Options>> = {
  replace: {
    type: 'boolean',
    describe: 'Take the place of units with another content; of instances, by their template',
  },
}

export const waitOptions: Readonly<Record<string, Options>> = {
  block: { type: 'boolean', default: true, describe: 'Wait until it is so; --no-block does not' },
  timeout: {
    type: 'number',
    requiresArg: true,
    default: timeoutSecondsDefault,
    describe: 'Seconds to wait at most; 0 waits for ever',
  },
  'block-attempts': {
    type: 'number',
    requiresArg: true,
    describe: `Looks to take at most, ${pollMs / 1000} s apart, in place of --timeout; 0 is no limit`,
  },
}

/** How long to wait; 0 is for ever. Throws JGD_USAGE. */
function timeoutOf(args: Arguments): number {
  const attempts = args.number('block-attempts')
  if (attempts === undefined) return (args.number('timeout') ?? timeoutSecondsDefault) * 1000
  if (Number.isSafeInteger(attempts) && attempts >= 0) return attempts * pollMs
  throw usage('--block-attempts is a whole number')
}

/** One unit to ask for: with its file's text when there is a file. */
interface Wanted {
  readonly name: string
  readonly file: string | undefined
  /** A file, or a directory, that may have been meant. */
  readonly other?: string
  /** Its template's file, where it is named as a unit of the cluster, and such a file is here. */
  readonly template?: string
}

/** What cannot be read is there. */
const isFile = (environment: CliEnvironment, path: string): Promise<boolean> =>
  environment.readFile(path).then(
    (text) => text !== undefined,
    () => true,
  )

/**
 * A word is a file when there is one of that name, and otherwise a unit of the cluster, or an
 * instance of a template there or beside it: `./hello@{1..3}.service` with `./hello@.service`.
 */
export async function wantedUnits(
  environment: CliEnvironment,
  words: readonly string[],
): Promise<Wanted[]> {
  const wanted = new Map<string, Wanted>()
  for (const word of words) {
    const expanded = expandNames(word)
    if (!expanded.ok) throw usage(expanded.reason)
    for (const given of expanded.names) {
      const path = isQuadletFile(given) ? given : withServiceSuffix(given)
      for (const one of await readWanted(environment, path)) {
        const isMeant = one.file === undefined && path !== word && (await isFile(environment, word))
        wanted.set(one.name, isMeant ? { ...one, other: word } : one)
      }
    }
  }
  return [...wanted.values()]
}

async function readWanted(environment: CliEnvironment, path: string): Promise<Wanted[]> {
  const name = unitOfFile(path)
  const directory = path.slice(0, path.lastIndexOf('/') + 1)
  const file = await environment.readFile(path)
  if (file !== undefined) return [{ name, file }]
  if (isQuadletFile(path)) throw usage(`there is no file ${path}`)
  const parsed = parseUnitName(name)
  const templateName = parsed.ok ? parsed.name.templateName : undefined
  if (directory === '') {
    const isHere = templateName !== undefined && (await isFile(environment, templateName))
    return [{ name, file, ...(isHere && { template: templateName }) }]
  }
  const template =
    templateName === undefined ? undefined : await environment.readFile(directory + templateName)
  if (template === undefined || templateName === undefined) {
    throw usage(`there is no file ${path}`, `jangada units, or name a file that ends in .service`)
  }
  return [
    { name: templateName, file: template },
    { name, file: undefined },
  ]
}

export interface Changed {
  readonly done: readonly UnitWritten[]
  readonly failed: readonly { readonly name: string; readonly error: JangadaError }[]
}

/** Asks for `desired` of each; a template that came along for its instances is only stored. */
export async function submitAll(
  node: NodeClient,
  wanted: readonly Wanted[],
  desired: Desired | undefined,
  replace: boolean,
): Promise<Changed> {
  const isAlone = wanted.length === 1
  return each(wanted, async ({ name, file, other, template }) => {
    const parsed = parseUnitName(name)
    const isTemplate = parsed.ok && parsed.name.kind === 'template'
    if (replace && desired !== 'launched') {
      await requireReplaceable(node, name, file, desired === 'loaded' ? 'load' : 'submit')
    }
    try {
      return await node.call<UnitWritten>('PUT', `/v1/units/${segment(name)}`, {
        ...(file === undefined ? {} : { file }),
        ...(desired === undefined || (isTemplate && !isAlone) ? {} : { desired }),
        ...(replace ? { replace } : {}),
      })
    } catch (error) {
      throw isJangadaError(error, 'JGD_UNIT_UNKNOWN')
        ? neitherUnitNorFile(error, other, template)
        : error
    }
  })
}

/** The word may have been meant as a file; that there is none is what its writer needs to hear. */
function neitherUnitNorFile(
  { code, message }: JangadaError,
  other?: string,
  template?: string,
): JangadaError {
  if (template !== undefined) {
    return new JangadaError(code, `${message}; a file ${template} is here`, {
      hint: `to take it from there write ./ before the name, or first: jangada submit ${template}`,
    })
  }
  return other === undefined
    ? new JangadaError(code, `${message}, and no file of that name here`, {
        hint: 'jangada unit-files lists the units; for a new one name its file, NAME.service',
      })
    : new JangadaError(code, `${message}; ${other} is there, and no unit file by its name`, {
        hint: 'the name of a unit file ends in .service',
      })
}

/** Goes on after a refusal, so that one bad file does not hold up the others. */
export async function each<T extends { readonly name: string }>(
  all: readonly T[],
  change: (one: T) => Promise<UnitWritten>,
): Promise<Changed> {
  const done: UnitWritten[] = []
  const failed: { name: string; error: JangadaError }[] = []
  for (const one of all) {
    try {
      done.push(await change(one))
    } catch (error) {
      if (!isJangadaError(error) || error.code === 'JGD_UNREACHABLE') throw error
      if (all.length === 1) throw error
      failed.push({ name: one.name, error })
    }
  }
  return { done, failed }
}

export function reportFailures(environment: CliEnvironment, { failed }: Changed): void {
  for (const { name, error } of failed) {
    environment.stderr(`${name}: ${error.message} (${error.code})\n`)
    if (error.hint !== undefined) environment.stderr(`next: ${error.hint}\n`)
  }
}

/** What a row means for someone who waits; undefined: not there yet. */
export type Outcome = { readonly ok: boolean; readonly text: string } | undefined

export interface Waiting {
  readonly names: readonly string[]
  /** `rows` are all of one unit's; `sinceMs` is how long they have looked like this. */
  readonly outcome: (rows: readonly UnitRow[], sinceMs: number, name: string) => Outcome
  /** What to look at when time runs out; without it, why the first has no place. */
  readonly next?: string
}

/** Prints each unit's outcome as it is seen. False when one failed or time ran out. */
export async function waitFor(
  environment: CliEnvironment,
  args: Arguments,
  node: NodeClient,
  { names, outcome, next }: Waiting,
): Promise<boolean> {
  const timeoutMs = timeoutOf(args)
  const startedMs = environment.monotonicMs()
  const left = new Set(names)
  const unplaced = new Unplaced(environment, node, timeoutMs)
  const slow = new Slow(environment)
  const looks = new Map<string, { readonly text: string; readonly atMs: number }>()
  const placed = new Set<string>()
  let ok = true
  for (;;) {
    const nowMs = environment.monotonicMs()
    const { units } = await node.get<UnitsAnswer>('/v1/units')
    for (const name of [...left]) {
      const rows = units.filter((row) => row.name === name)
      if (rows.some(({ machine }) => machine !== null)) placed.add(name)
      else placed.delete(name)
      const look = lookOf(environment, args, looks, name, rows, nowMs)
      const found = outcome(rows, nowMs - look, name)
      if (found === undefined) {
        if (!args.flag('json')) await unplaced.look(name, rows, nowMs - look)
        if (!args.flag('json')) slow.look(name, rows, nowMs - look)
        continue
      }
      left.delete(name)
      ok &&= found.ok
      if (!args.flag('json')) environment.stdout(`${found.text}\n`)
    }
    if (left.size === 0) return ok
    const isLate = timeoutMs > 0 && nowMs - startedMs >= timeoutMs
    if (isLate || environment.signal.aborted) break
    await environment.sleep(pollMs)
  }
  const [first = ''] = left
  const why = environment.signal.aborted ? 'interrupted' : 'time is up'
  environment.stderr(`${why}; still waiting for ${[...left].join(', ')}\n`)
  for (const name of left) environment.stderr(`${name}: ${looks.get(name)?.text ?? 'unknown'}\n`)
  // Where it is, is known; what it is about there, is the question.
  const ask = placed.has(first) ? 'status' : 'why'
  environment.stderr(`next: ${next ?? `jangada ${ask} ${first}`}\n`)
  return false
}

/** Since when the unit has looked as it does; someone who watches is told of each change. */
function lookOf(
  environment: CliEnvironment,
  args: Arguments,
  looks: Map<string, { readonly text: string; readonly atMs: number }>,
  name: string,
  rows: readonly UnitRow[],
  nowMs: number,
): number {
  const text = rows.map(rowText).join('; ') || 'gone'
  const known = looks.get(name)
  if (known?.text === text) return known.atMs
  looks.set(name, { text, atMs: nowMs })
  if (environment.isTty && !args.flag('json')) environment.stderr(`${name}: ${text}\n`)
  return nowMs
}

export function launched(rows: readonly UnitRow[], sinceMs: number): Outcome {
  const row = rows.find(({ active }) => active === 'active') ?? rows[0]
  if (row === undefined) return { ok: false, text: 'the unit is gone' }
  const at = placeText(row)
  if (row.active === 'active') return { ok: true, text: `Unit ${row.name} launched on ${at}` }
  const why = row.message === '' ? '' : `: ${row.message}`
  if (row.active === 'failed') return { ok: false, text: `Unit ${row.name} failed on ${at}${why}` }
  const isDead = row.machine !== null && row.active === 'inactive' && row.sub === 'dead'
  const ended = isDead && (hasEnded(row) || sinceMs >= endedAfterMs)
  return ended ? { ok: true, text: `Unit ${row.name} ran on ${at} and has ended${why}` } : undefined
}

export function loaded(rows: readonly UnitRow[]): Outcome {
  const [row] = rows
  if (row === undefined) return { ok: false, text: 'the unit is gone' }
  return row.machine === null
    ? undefined
    : { ok: true, text: `Unit ${row.name} loaded on ${placeText(row)}` }
}

/** Of a unit whose content was replaced, what its machine still says of the older one counts for nothing. */
function ofNewContent({ done }: Changed, outcome: Waiting['outcome']): Waiting['outcome'] {
  const hashes = new Map(
    done.flatMap(({ name, hash, replaced }) => (replaced ? [[name, hash]] : [])),
  )
  const isOlder = ({ name, machine, hash }: UnitRow): boolean =>
    machine !== null && hash !== (hashes.get(name) ?? hash)
  return (rows, sinceMs, name) => (rows.some(isOlder) ? undefined : outcome(rows, sinceMs, name))
}

/** Waits as the options say, prints JSON if asked, and gives the exit code. */
export async function finish(
  environment: CliEnvironment,
  args: Arguments,
  node: NodeClient,
  changed: Changed,
  outcome: Waiting['outcome'],
  next?: string,
): Promise<number> {
  // Global units and templates have no one machine to wait for.
  const names = changed.done
    .filter(({ isTemplate, isGlobal }) => !isTemplate && !isGlobal)
    .map(({ name }) => name)
  const json = args.flag('json')
  if (!json) {
    for (const { name, isTemplate, isGlobal, desired } of changed.done) {
      if (isTemplate) environment.stdout(`Unit ${name} submitted\n`)
      else if (isGlobal) environment.stdout(`Triggered global unit ${name}: ${desired}\n`)
      else if (!args.flag('block')) environment.stdout(`Unit ${name} is to be ${desired}\n`)
    }
  }
  if (!json && args.flag('block')) await tellGlobalsNowhere(environment, node, changed)
  const waits = args.flag('block') && names.length > 0
  const waiting = { names, outcome: ofNewContent(changed, outcome), ...(next && { next }) }
  const ok = waits ? await waitFor(environment, args, node, waiting) : true
  if (json) {
    const { units } = await node.get<UnitsAnswer>('/v1/units')
    const asked = new Set(changed.done.map(({ name }) => name))
    const failed = changed.failed.map(({ name, error }) => ({ name, error: error.toBody() }))
    printJson(environment, { units: units.filter(({ name }) => asked.has(name)), failed })
  } else reportFailures(environment, changed)
  return ok && changed.failed.length === 0 ? 0 : 1
}

/** They are not waited for, and one that fits no machine would look as if it ran. */
async function tellGlobalsNowhere(
  environment: CliEnvironment,
  node: NodeClient,
  { done }: Changed,
): Promise<void> {
  const unplaced = new Unplaced(environment, node, 0)
  for (const { name, isGlobal, isTemplate, desired } of done.slice(0, globalsAsked)) {
    if (isGlobal && !isTemplate && desired !== 'inactive') await unplaced.tellNowhere(name)
  }
}
