/** `/fleet/v1/machines`: who is there, and JSONPatch (RFC 6902) on what they are labelled with. */
import * as Type from 'typebox'
import { isMachineId, machineId, type MachineId } from '../../../base/ids.ts'
import type { MachineRecord } from '../../../core/records/schemas.ts'
import { decideAndSee } from '../../enrol/context.ts'
import { bodyReader } from '../check.ts'
import type { ApiContext } from '../context.ts'
import { decideLabels, type LabelChanges, labelNameMax, labelValueMax } from '../labels.ts'
import type { ApiResponse } from '../messages.ts'
import { readCluster } from '../records.ts'
import { pageOf } from './pages.ts'
import { FleetRefusal, fleetJson, nothing } from './refusals.ts'
import type { FleetRequest } from './request.ts'

const opsMax = 1000

/** fleet's document writes the value as a text, its server reads an object: both are understood. */
const valueSchema = Type.Union([Type.String(), Type.Object({ value: Type.String() })])
const readPatch = bodyReader(
  Type.Array(
    Type.Object({
      op: Type.Optional(Type.String()),
      path: Type.Optional(Type.String()),
      value: Type.Optional(Type.Union([valueSchema, Type.Null()])),
    }),
    { maxItems: opsMax },
  ),
)
type Patch = ReturnType<typeof readPatch>[number]

/** A lost machine is none of fleet's list. */
export async function listMachines(
  { store }: ApiContext,
  request: FleetRequest,
): Promise<ApiResponse> {
  const { machines } = await readCluster(store)
  const ready = [...machines.values()].filter(({ status }) => status === 'ready')
  return fleetJson(pageOf('machines', ready, entityOf, request))
}

const entityOf = ({ id, metadata, address }: MachineRecord): unknown => ({
  id,
  ...(Object.keys(metadata).length === 0 ? {} : { metadata: inOrder(metadata) }),
  ...(address === '' ? {} : { primaryIP: address }),
})

/** By name, as Go writes maps. */
const inOrder = (labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** All of them or none; a machine that nobody has seen yet has its labels when it comes. */
export async function patchMachines(
  context: ApiContext,
  request: FleetRequest,
): Promise<ApiResponse> {
  const changes = new Map<MachineId, LabelChanges>()
  const body = await request.readJson()
  if (body === undefined) throw new FleetRefusal(400, 'EOF')
  for (const patch of readPatch({ body: body ?? [] })) {
    const { id, key, value } = readOne(patch)
    changes.set(id, { ...changes.get(id), [key]: value })
  }
  if (changes.size > 0) await decideAndSee(context.store, () => decideLabels(context, changes))
  return nothing(204)
}

function readOne({ op, path = '', value }: Patch): {
  readonly id: MachineId
  readonly key: string
  readonly value: string | null
} {
  if (op !== 'add' && op !== 'remove' && op !== 'replace') {
    throw new FleetRefusal(400, 'invalid op: expect add, remove, or replace')
  }
  const [, id = '', key = ''] = /^\/([^/]+)\/metadata\/([A-Za-z0-9_.-]+)$/.exec(path) ?? []
  if (!isMachineId(id) || key.length > labelNameMax) {
    throw new FleetRefusal(400, 'machine metadata path invalid')
  }
  if (op === 'remove') return { id: machineId(id), key, value: null }
  const text = (typeof value === 'object' ? value?.value : value) ?? ''
  if (text === '') {
    throw new FleetRefusal(400, 'invalid value: add and replace require a value')
  }
  if (text.length > labelValueMax) {
    throw new FleetRefusal(400, `invalid value: at most ${labelValueMax} characters`)
  }
  return { id: machineId(id), key, value: text }
}
