/** Machines that are to be emptied: `drain` in their record, which the scheduler reads. */
import * as Type from 'typebox'
import { type MachineId, machineId } from '../../base/ids.ts'
import { machines } from '../../core/records/keyspace.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import { decideAndSee, type Decision, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { requireFeatureOf } from './feature-level.ts'
import { machineOf } from './machine-of.ts'
import { json } from './messages.ts'
import { readCluster } from './records.ts'
import type { Route, RoutedRequest } from './router.ts'

/** A week: who forgets a machine for longer than that had better say so again. */
const deadlineMsMax = 7 * 86_400_000

const readDrain = bodyReader(
  Type.Object({
    /** From now on; absent: for as long as it takes. */
    deadlineMs: Type.Optional(Type.Integer({ minimum: 0, maximum: deadlineMsMax })),
  }),
)

export function drainRoutes(context: ApiContext): Route[] {
  const answer = async (request: RoutedRequest, drain: MachineRecord['drain']) => {
    const { store } = context
    const { id } = machineOf(await readCluster(store), request.parameters['id'] ?? '')
    const decide = (): Promise<Decision<MachineRecord>> =>
      decideDrain(context, machineId(id), drain)
    const { name, drain: is = null } = await decideAndSee(store, decide)
    return json({ id, name, drain: is })
  }
  return [
    {
      method: 'POST',
      path: '/v1/machines/:id/drain',
      access: 'deploy',
      handle: (request) => {
        const { deadlineMs } = readDrain({ body: request.body ?? {} })
        const sinceMs = context.clock.wallMs()
        return answer(request, {
          sinceMs,
          ...(deadlineMs === undefined ? {} : { deadlineMs: sinceMs + deadlineMs }),
        })
      },
    },
    {
      method: 'POST',
      path: '/v1/machines/:id/undrain',
      access: 'deploy',
      handle: (request) => answer(request, undefined),
    },
  ]
}

async function decideDrain(
  context: ApiContext,
  id: MachineId,
  drain: MachineRecord['drain'],
): Promise<Decision<MachineRecord>> {
  const found = await readRecord(context.store, machines, id)
  // It was there a moment ago, and records of machines are never deleted.
  if (found === undefined) throw new Error(`the record of machine ${id} is gone`)
  if (drain !== undefined) await requireFeatureOf(context.store, 'drain')
  const { drain: before, ...rest } = found.value
  const value: MachineRecord = drain === undefined ? rest : { ...rest, drain }
  const compare = [unchanged(found.key, found)]
  if (drain === undefined && before === undefined) return { value, compare, then: [] }
  const message =
    drain === undefined
      ? `${rest.name} takes units again`
      : `${rest.name} drains: its units go elsewhere`
  const kind = drain === undefined ? 'machine.undrained' : 'machine.drains'
  return {
    value,
    compare,
    then: [
      machines.put(value, id),
      putEvent(context, { kind, severity: 'info', message, machine: id }),
    ],
  }
}
