/** Units as they are wanted: submitted, started, stopped, destroyed. One transaction each. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { units } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { DesiredState, UnitRecord } from '../../core/records/schemas.ts'
import { parseUnitName } from '../../core/units/names.ts'
import { unitHash, unitTextBytesMax } from '../../core/units/options.ts'
import type { ParsedUnitName, UnitProblem } from '../../core/units/types.ts'
import { parseUnit } from '../../core/units/unit.ts'
import {
  decideAndSee,
  type Decision,
  putEvent,
  readAlso,
  readRecord,
  unchanged,
} from '../enrol/context.ts'
import type { UnitWritten } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import type { Route } from './router.ts'
import { isGlobal, isTemplateError, unknownUnit } from './units.ts'

const desiredSchema = Type.Union([
  Type.Literal('inactive'),
  Type.Literal('loaded'),
  Type.Literal('launched'),
])
const readSubmit = bodyReader(
  Type.Object({
    /** Absent: the unit is there already, or it is an instance and its template is. */
    file: Type.Optional(Type.String({ maxLength: unitTextBytesMax })),
    /** Absent: as it was; a new unit is inactive. */
    desired: Type.Optional(desiredSchema),
    /** Takes the place of a unit with another content. */
    replace: Type.Optional(Type.Boolean()),
  }),
)
const readDesired = bodyReader(Type.Object({ desired: desiredSchema }))

interface Submit {
  readonly file?: string
  readonly desired?: DesiredState
  readonly replace?: boolean
}

type Written = Decision<UnitWritten>

export function unitWriteRoutes(context: ApiContext): Route[] {
  const { store } = context
  return [
    {
      method: 'PUT',
      path: '/v1/units/:name',
      access: 'deploy',
      handle: async (request) => {
        const name = requireName(request.parameters['name'] ?? '')
        const submit = readSubmit({ body: request.body ?? {} })
        const written = await decideAndSee(store, () => decideSubmit(context, name, submit))
        return json(written, written.created ? 201 : 200)
      },
    },
    {
      method: 'POST',
      path: '/v1/units/:name/state',
      access: 'deploy',
      handle: async (request) => {
        const name = requireName(request.parameters['name'] ?? '')
        const { desired } = readDesired(request)
        return json(
          await decideAndSee(store, async () => {
            const found = await readRecord(store, units, name.name)
            if (found === undefined) throw unknownUnit(name.name)
            return decideDesired(context, name, found, desired)
          }),
        )
      },
    },
    {
      method: 'DELETE',
      path: '/v1/units/:name',
      access: 'deploy',
      handle: async (request) => {
        const name = requireName(request.parameters['name'] ?? '')
        return json(await decideAndSee(store, () => decideDestroy(context, name)))
      },
    },
  ]
}

function requireName(text: string): ParsedUnitName {
  const parsed = parseUnitName(text)
  if (parsed.ok) return parsed.name
  throw new JangadaError('JGD_UNIT_NAME', `${text}: ${parsed.reason}`)
}

async function decideSubmit(
  context: ApiContext,
  name: ParsedUnitName,
  submit: Submit,
): Promise<Written> {
  const found = await readRecord(context.store, units, name.name)
  if (submit.file === undefined) {
    if (found !== undefined) {
      return decideDesired(context, name, found, submit.desired ?? found.value.desired)
    }
    const template = await templateOf(context, name)
    const source = { file: template.file, from: template.name }
    return decideNew(context, name, undefined, source, submit.desired ?? 'inactive')
  }
  const source = { file: submit.file, from: name.name }
  if (found === undefined) {
    return decideNew(context, name, undefined, source, submit.desired ?? 'inactive')
  }
  const hash = hashOf(name.name, source)
  const desired = submit.desired ?? found.value.desired
  if (hash === found.value.hash) return decideDesired(context, name, found, desired)
  if (submit.replace !== true) {
    throw new JangadaError('JGD_UNIT_EXISTS', `${name.name} is there with another content`, {
      hint: 'a unit does not change: use --replace, or destroy it first',
      details: { hash: found.value.hash, given: hash },
    })
  }
  return decideNew(context, name, found, source, desired)
}

/** Throws JGD_UNIT_UNKNOWN when nothing says what `name` should run. */
async function templateOf(context: ApiContext, name: ParsedUnitName): Promise<UnitRecord> {
  if (name.templateName === undefined) throw unknownUnit(name.name)
  const template = await readAlso(context.store, units, name.templateName)
  if (template !== undefined) return template.value
  throw new JangadaError(
    'JGD_UNIT_UNKNOWN',
    `there is neither ${name.name} nor its template ${name.templateName}`,
    { hint: `submit one of them: jangada submit ${name.templateName}` },
  )
}

interface Source {
  readonly file: string
  /** What problems call the file. */
  readonly from: string
}

/** Throws the refusal, every problem of the file in it. */
function hashOf(name: string, { file, from }: Source): string {
  const parsed = parseUnit(name, file, { file: from })
  if (parsed.ok) return unitHash(parsed.options)
  throw refusalOf(name, parsed.problems)
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

function decideNew(
  context: ApiContext,
  { name, kind }: ParsedUnitName,
  found: Stored<UnitRecord> | undefined,
  source: Source,
  desired: DesiredState,
): Written {
  const hash = hashOf(name, source)
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
      putEvent(context, { kind: `unit.${verb}`, severity: 'info', message, unit: name }),
    ],
  }
}

function decideDesired(
  context: ApiContext,
  { name, kind }: ParsedUnitName,
  found: Stored<UnitRecord>,
  desired: DesiredState,
): Written {
  if (kind === 'template' && desired !== 'inactive') throw isTemplateError(name)
  const record: UnitRecord = { ...found.value, desired }
  const compare = [unchanged(found.key, found)]
  if (desired === found.value.desired) {
    return { value: written(record, kind, 'kept'), compare, then: [] }
  }
  const message = `${name} is to be ${desired}`
  return {
    value: written(record, kind, 'kept'),
    compare,
    then: [
      units.put(record, name),
      putEvent(context, { kind: `unit.${desired}`, severity: 'info', message, unit: name }),
    ],
  }
}

/** Its placements go with the leader's next plan, and its containers after them. */
async function decideDestroy(
  context: ApiContext,
  { name, kind }: ParsedUnitName,
): Promise<Decision<UnitWritten>> {
  const found = await readRecord(context.store, units, name)
  if (found === undefined) throw unknownUnit(name)
  const message = `${name} was destroyed`
  return {
    value: written({ ...found.value, desired: 'inactive' }, kind, 'kept'),
    compare: [unchanged(found.key, found)],
    then: [
      { kind: 'delete', key: found.key },
      putEvent(context, { kind: 'unit.destroyed', severity: 'info', message, unit: name }),
    ],
  }
}

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
