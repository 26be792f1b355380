/** Units as they are wanted: submitted, started, stopped, destroyed. One transaction each. */
import * as Type from 'typebox'
import { isJangadaError } from '../../base/errors.ts'
import { units } from '../../core/records/keyspace.ts'
import type { DesiredState } from '../../core/records/schemas.ts'
import { unitTextBytesMax } from '../../core/units/options.ts'
import type { ParsedUnitName } from '../../core/units/types.ts'
import { decideAndSee, type Decision, readRecord } from '../enrol/context.ts'
import type { UnitWritten } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import type { Route } from './router.ts'
import {
  decideDesired,
  decideDestroy,
  decideNew,
  existsOtherwise,
  hasContent,
  hashOf,
  nothingToReplaceWith,
  requireName,
  type Source,
  templateOf,
} from './unit-decisions.ts'
import { unknownUnit } from './units.ts'

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
    /** Takes the place of a unit with another content; without `file`, of an instance, its template's. */
    replace: Type.Optional(Type.Boolean()),
  }),
)
const readDesired = bodyReader(Type.Object({ desired: desiredSchema }))

interface Submit {
  readonly file?: string
  readonly desired?: DesiredState
  readonly replace?: boolean
}

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

async function decideSubmit(
  context: ApiContext,
  name: ParsedUnitName,
  submit: Submit,
): Promise<Decision<UnitWritten>> {
  const found = await readRecord(context.store, units, name.name)
  if (submit.file === undefined && found !== undefined && submit.replace !== true) {
    return decideDesired(context, name, found, submit.desired ?? found.value.desired)
  }
  const source = await sourceOf(context, name, submit.file, found !== undefined)
  if (found === undefined) {
    return decideNew(context, name, undefined, source, submit.desired ?? 'inactive')
  }
  const hash = hashOf(name.name, source)
  const desired = submit.desired ?? found.value.desired
  if (hasContent(found.value, hash)) return decideDesired(context, name, found, desired)
  if (submit.replace !== true) throw existsOtherwise(name.name, found.value.hash, hash)
  return decideNew(context, name, found, source, desired)
}

/** The file that was given, or else the template's. Throws when there is neither. */
async function sourceOf(
  context: ApiContext,
  name: ParsedUnitName,
  file: string | undefined,
  isThere: boolean,
): Promise<Source> {
  if (file !== undefined) return { file, from: name.name }
  try {
    const template = await templateOf(context, name)
    return { file: template.file, from: template.name }
  } catch (error) {
    const isMissing = isThere && isJangadaError(error, 'JGD_UNIT_UNKNOWN')
    throw isMissing ? nothingToReplaceWith(name) : error
  }
}
