/** `/fleet/v1/units`: what is wanted of each unit, as fleet's clients read and write it. */
import * as Type from 'typebox'
import { isJangadaError } from '../../../base/errors.ts'
import { units } from '../../../core/records/keyspace.ts'
import type { DesiredState, UnitRecord } from '../../../core/records/schemas.ts'
import { parseUnitName } from '../../../core/units/names.ts'
import { inFleetsWords } from '../../../core/units/placement.ts'
import { parseUnit } from '../../../core/units/unit.ts'
import { asWritten, formatOptions, parseOptions, unitHash } from '../../../core/units/options.ts'
import type { ParsedUnitName, UnitOption } from '../../../core/units/types.ts'
import { decideAndSee, type Decision, readRecord } from '../../enrol/context.ts'
import { bodyReader } from '../check.ts'
import type { ApiContext } from '../context.ts'
import type { ApiResponse } from '../messages.ts'
import { readCluster } from '../records.ts'
import { type Scheduled, scheduleOf } from '../rows.ts'
import { decideDesired, decideDestroy, decideNew, hasContent } from '../unit-decisions.ts'
import { isGlobal, readWithFacts } from '../unit-facts.ts'
import { refuseName } from './names.ts'
import { pageOf } from './pages.ts'
import { FleetRefusal, fleetJson, nothing } from './refusals.ts'
import type { FleetRequest } from './request.ts'

const maybe = <T extends Type.TSchema>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]))
const maybeText = maybe(Type.String())
/** What is not named here is passed over, as fleet does. */
const readEntity = bodyReader(
  Type.Object({
    name: maybeText,
    desiredState: maybeText,
    options: maybe(
      Type.Array(Type.Object({ section: maybeText, name: maybeText, value: maybeText })),
    ),
  }),
)

interface Wanted {
  readonly desired: DesiredState | undefined
  readonly options: readonly UnitOption[]
}

/** Fields in the order of fleet's own answers; those without a value are left out. */
interface UnitEntity {
  readonly currentState?: DesiredState
  readonly desiredState: DesiredState
  readonly machineID?: string
  readonly name: string
  readonly options: readonly Partial<UnitOption>[]
}

export async function listUnits(context: ApiContext, request: FleetRequest): Promise<ApiResponse> {
  const records = await readWithFacts(context)
  const schedule = scheduleOf(records)
  // fleet's list takes a global unit for one that is scheduled nowhere; its single answer does not.
  const entity = (unit: UnitRecord): UnitEntity =>
    entityOf(unit, isGlobal(unit) ? { state: 'inactive' } : schedule(unit.name))
  return fleetJson(pageOf('units', [...records.units.values()], entity, request))
}

export async function getUnit({ store }: ApiContext, name: string): Promise<ApiResponse> {
  const records = await readCluster(store)
  const unit = records.units.get(name)
  if (unit === undefined) throw absent()
  return fleetJson(entityOf(unit, isGlobal(unit) ? {} : scheduleOf(records)(name)))
}

export async function setUnit(
  context: ApiContext,
  text: string,
  request: FleetRequest,
): Promise<ApiResponse> {
  requireJson(request.headers['content-type'])
  const entity = await readBody(request)
  if ((entity.name ?? text) !== text && entity.name !== '') {
    const names = [text, entity.name].map((one) => JSON.stringify(one))
    throw new FleetRefusal(
      400,
      `name in URL ${names[0]} differs from unit name in request body ${names[1]}`,
    )
  }
  const name = requireName(text)
  const wanted: Wanted = {
    desired: desiredOf(entity.desiredState ?? ''),
    options: (entity.options ?? []).map((option) => ({
      section: option.section ?? '',
      name: option.name ?? '',
      value: option.value ?? '',
    })),
  }
  const status = await decideAndSee(context.store, () => decideSet(context, name, wanted))
  return nothing(status)
}

/** Creates the unit, puts another in its place, or changes what is wanted of it. */
async function decideSet(
  context: ApiContext,
  name: ParsedUnitName,
  { desired, options }: Wanted,
): Promise<Decision<201 | 204>> {
  const found = await readRecord(context.store, units, name.name)
  if (found === undefined && options.length === 0) {
    throw new FleetRefusal(409, 'unit does not exist and options field empty')
  }
  const isNew =
    found === undefined || (options.length > 0 && !hasContent(found.value, unitHash(options)))
  if (!isNew && desired === undefined) {
    throw new FleetRefusal(409, 'must provide DesiredState to update existing unit')
  }
  if (name.kind === 'template' && desired !== undefined && desired !== 'inactive') {
    throw new FleetRefusal(400, `cannot activate template ${JSON.stringify(name.name)}`)
  }
  if (!isNew) {
    const kept = await decideDesired(context, name, found, desired ?? found.value.desired)
    return { ...kept, value: 204 }
  }
  const source = { file: fileOf(options), from: name.name }
  refuseContradictions(name, source.file)
  const made = await decideNew(context, name, found, source, desired ?? 'inactive')
  return { ...made, value: 201 }
}

/** The text that has these options and no others: a value may not smuggle in a second one. */
function fileOf(options: readonly UnitOption[]): string {
  const file = formatOptions(options)
  const parsed = parseOptions(file)
  if (!parsed.ok) throw new FleetRefusal(400, parsed.problems[0]?.reason ?? 'not a unit file')
  // In the order of the file, where sections stand together.
  const given = [...Map.groupBy(options, ({ section }) => section).values()].flat()
  if (JSON.stringify(asWritten(parsed.options)) === JSON.stringify(given)) return file
  throw new FleetRefusal(400, 'options are not what a unit file with them would say')
}

/** What fleet refuses too is refused in its words alone; of all else the answer says file, line and reason. */
function refuseContradictions({ name }: ParsedUnitName, file: string): void {
  const parsed = parseUnit(name, file)
  for (const { reason } of parsed.ok ? [] : parsed.problems) {
    const words = inFleetsWords(reason)
    if (words !== undefined) throw new FleetRefusal(400, words)
  }
}

export async function destroyUnit(context: ApiContext, text: string): Promise<ApiResponse> {
  const parsed = parseUnitName(text)
  if (!parsed.ok) throw absent()
  try {
    await decideAndSee(context.store, () => decideDestroy(context, parsed.name))
  } catch (error) {
    throw isJangadaError(error, 'JGD_UNIT_UNKNOWN') ? absent() : error
  }
  return nothing(204)
}

const absent = (): FleetRefusal => new FleetRefusal(404, 'unit does not exist')

function entityOf(unit: UnitRecord, scheduled: Partial<Scheduled>): UnitEntity {
  const parsed = parseOptions(unit.file)
  const { state, machine } = scheduled
  return {
    ...(state === undefined ? {} : { currentState: state }),
    desiredState: unit.desired,
    ...(machine === undefined ? {} : { machineID: machine }),
    name: unit.name,
    options: (parsed.ok ? asWritten(parsed.options) : []).map(({ name, section, value }) => ({
      name,
      section,
      ...(value === '' ? {} : { value }),
    })),
  }
}

function requireJson(contentType: string | undefined): void {
  if (contentType === undefined) throw new FleetRefusal(415, 'expected 1 Content-Type, got 0')
  if (contentType.split(';')[0]?.trim() === 'application/json') return
  throw new FleetRefusal(415, 'only acceptable Content-Type is application/json')
}

async function readBody(request: FleetRequest): Promise<ReturnType<typeof readEntity>> {
  try {
    const body = await request.readJson()
    if (body === undefined) throw new FleetRefusal(400, 'unable to decode body: EOF')
    return readEntity({ body: body ?? {} })
  } catch (error) {
    if (!isJangadaError(error, 'JGD_BAD_REQUEST')) throw error
    throw new FleetRefusal(400, `unable to decode body: ${error.message}`)
  }
}

function requireName(text: string): ParsedUnitName {
  const refusal = refuseName(text)
  if (refusal !== undefined) throw new FleetRefusal(400, refusal)
  const parsed = parseUnitName(text)
  if (parsed.ok) return parsed.name
  throw new FleetRefusal(400, parsed.reason)
}

function desiredOf(text: string): DesiredState | undefined {
  switch (text) {
    case '':
      return undefined
    case 'inactive':
    case 'loaded':
    case 'launched':
      return text
    default:
      throw new FleetRefusal(400, `invalid value ${JSON.stringify(text)} for JobState`)
  }
}
