/** What becomes of a unit's record, and what is told of it: decided here, whichever API asks. */
import { JangadaError } from '../../base/errors.ts'
import { crashes, units } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { DesiredState, UnitRecord } from '../../core/records/schemas.ts'
import type { Operation } from '../../core/store/types.ts'
import { parseUnitName } from '../../core/units/names.ts'
import { featureOfKey } from '../../core/units/keys.ts'
import { parseOptions, unitHash } from '../../core/units/options.ts'
import type { LocatedOption, ParsedUnitName, UnitProblem } from '../../core/units/types.ts'
import { parseUnit } from '../../core/units/unit.ts'
import { type Decision, putEvent, readAlso, readRecord, unchanged } from '../enrol/context.ts'
import type { UnitWritten } from './answers.ts'
import type { ApiContext } from './context.ts'
import { requireFeatureOf } from './feature-level.ts'
import { isGlobal } from './unit-facts.ts'
import { isTemplateError, unknownUnit } from './units.ts'

type Written = Decision<UnitWritten>

/** Throws JGD_UNIT_NAME. */
export function requireName(text: string): ParsedUnitName {
  const parsed = parseUnitName(text)
  if (parsed.ok) return parsed.name
  throw new JangadaError('JGD_UNIT_NAME', `${text}: ${parsed.reason}`)
}

/** Throws JGD_UNIT_UNKNOWN when nothing says what `name` should run. */
export async function templateOf(context: ApiContext, name: ParsedUnitName): Promise<UnitRecord> {
  if (name.templateName === undefined) throw unknownUnit(name.name)
  const template = await readAlso(context.store, units, name.templateName)
  if (template !== undefined) return template.value
  throw templateMissing(name)
}

/** For a unit that is not there either. */
export const templateMissing = ({ name, templateName }: ParsedUnitName): JangadaError =>
  templateName === undefined
    ? unknownUnit(name)
    : new JangadaError(
        'JGD_UNIT_UNKNOWN',
        `there is neither ${name} nor its template ${templateName}`,
        { hint: `submit one of them: jangada submit ${templateName}` },
      )

export const existsOtherwise = (name: string, hash: string, given: string): JangadaError =>
  new JangadaError('JGD_UNIT_EXISTS', `${name} is there with another content`, {
    hint: 'a unit does not change: use --replace, or destroy it first',
    details: { hash, given },
  })

/** Of a unit that is there, when neither a file nor its template says anything else of it. */
export const nothingToReplaceWith = ({ name, templateName }: ParsedUnitName): JangadaError =>
  new JangadaError(
    'JGD_CONFLICT',
    templateName === undefined
      ? `there is nothing to replace ${name} with: no file of it was given`
      : `there is nothing to replace ${name} with: ${templateName} is not there`,
    { hint: `name a file, or leave --replace out to keep ${name} as it is` },
  )

export interface Source {
  readonly file: string
  /** What problems call the file. */
  readonly from: string
}

/** Throws the refusal, every problem of the file in it. */
export const hashOf = (name: string, source: Source): string => unitHash(optionsOf(name, source))

function optionsOf(name: string, { file, from }: Source): readonly LocatedOption[] {
  const parsed = parseUnit(name, file, { file: from, isNew: true })
  if (parsed.ok) return parsed.options
  throw refusalOf(name, parsed.problems)
}

/**
 * Whether the unit's content has this hash. The hash in its record may be one that an earlier binary
 * made in another way: it stays, so that nothing is replaced for it.
 */
export function hasContent({ hash, file }: UnitRecord, given: string): boolean {
  if (hash === given) return true
  const parsed = parseOptions(file)
  return parsed.ok && unitHash(parsed.options) === given
}

function refusalOf(name: string, problems: readonly UnitProblem[]): JangadaError {
  const [first] = problems
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  const where = first === undefined || first.line === 0 ? '' : `:${first.line}`
  const what = first === undefined ? `${name} is refused` : `${first.file}${where}: ${first.reason}`
  return new JangadaError(first?.code ?? 'JGD_UNIT_SYNTAX', `${what}${more}`, {
    hint: 'docs/units.md lists what a unit file may say',
    details: { problems },
  })
}

/** Rejects also with JGD_FEATURE_LEVEL: a leader that cannot read a unit would take it for unwanted. */
export async function decideNew(
  context: ApiContext,
  { name, kind }: ParsedUnitName,
  found: Stored<UnitRecord> | undefined,
  source: Source,
  desired: DesiredState,
): Promise<Written> {
  const options = optionsOf(name, source)
  for (const feature of new Set(options.map(featureOfKey))) {
    if (feature !== undefined) await requireFeatureOf(context.store, feature)
  }
  const hash = unitHash(options)
  if (kind === 'template' && desired !== 'inactive') throw isTemplateError(name)
  const submittedMs = context.clock.wallMs()
  const record: UnitRecord = { v: 1, name, file: source.file, hash, desired, submittedMs }
  const verb = found === undefined ? 'submitted' : 'replaced'
  const message = `${name} was ${verb}, to be ${desired}`
  return {
    value: written(record, kind, found === undefined ? 'created' : 'replaced'),
    compare: [unchanged(units.key(name), found)],
    then: [
      units.put(record, name),
      forgetCrashes(name),
      putEvent(context, { kind: `unit.${verb}`, severity: 'info', message, unit: name }),
    ],
  }
}

/** Whoever says again that it is to run has it tried again, though it was parked. */
export async function decideDesired(
  context: ApiContext,
  { name, kind }: ParsedUnitName,
  found: Stored<UnitRecord>,
  desired: DesiredState,
): Promise<Written> {
  if (kind === 'template' && desired !== 'inactive') throw isTemplateError(name)
  const record: UnitRecord = { ...found.value, desired }
  const compare = [unchanged(found.key, found)]
  const crash = await readAlso(context.store, crashes, name)
  const forgotten: Operation[] = crash === undefined ? [] : [forgetCrashes(name)]
  if (desired === found.value.desired) {
    return { value: written(record, kind, 'kept'), compare, then: forgotten }
  }
  const message = `${name} is to be ${desired}`
  return {
    value: written(record, kind, 'kept'),
    compare,
    then: [
      units.put(record, name),
      ...forgotten,
      putEvent(context, { kind: `unit.${desired}`, severity: 'info', message, unit: name }),
    ],
  }
}

/** Its placements go with the leader's next plan, and its containers after them. */
export async function decideDestroy(
  context: ApiContext,
  { name, kind }: ParsedUnitName,
): Promise<Written> {
  const found = await readRecord(context.store, units, name)
  if (found === undefined) throw unknownUnit(name)
  const message = `${name} was destroyed`
  return {
    value: written({ ...found.value, desired: 'inactive' }, kind, 'kept'),
    compare: [unchanged(found.key, found)],
    then: [
      { kind: 'delete', key: found.key },
      forgetCrashes(name),
      putEvent(context, { kind: 'unit.destroyed', severity: 'info', message, unit: name }),
    ],
  }
}

const forgetCrashes = (name: string): Operation => ({ kind: 'delete', key: crashes.key(name) })

const written = (
  record: UnitRecord,
  kind: ParsedUnitName['kind'],
  became: 'created' | 'replaced' | 'kept',
): UnitWritten => ({
  name: record.name,
  desired: record.desired,
  hash: record.hash,
  created: became === 'created',
  replaced: became === 'replaced',
  isTemplate: kind === 'template',
  isGlobal: kind !== 'template' && isGlobal(record),
})
