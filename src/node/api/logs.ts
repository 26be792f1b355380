/** A unit's output, streamed from the machine it runs on. */
import { JangadaError } from '../../base/errors.ts'
import { machineId } from '../../base/ids.ts'
import { type Clock, sleep } from '../../ports/clock.ts'
import { resume } from './begun-stream.ts'
import { flagOf, numberOf } from './check.ts'
import type { ApiContext } from './context.ts'
import { machineOf } from './machine-of.ts'
import type { ApiResponse } from './messages.ts'
import { type ClusterRecords, readCluster } from './records.ts'
import type { Route, RoutedRequest } from './router.ts'
import { requireUnit } from './units.ts'

const linesDefault = 10
const linesMax = 10_000
/** An error that comes this soon becomes the answer instead of a broken stream. */
const firstWordMs = 1000

export function logRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/units/:name/logs',
      access: 'read',
      handle: (request) => logs(context, request),
    },
  ]
}

async function logs(context: ApiContext, request: RoutedRequest): Promise<ApiResponse> {
  const { query, parameters, signal } = request
  const tail = numberOf(request, 'tail', { fallback: linesDefault, min: 0, max: linesMax })
  const records = await readCluster(context.store)
  const unit = requireUnit(records, parameters['name'] ?? '').name
  const machine = machineId(placeOf(records, unit, query.get('machine')))
  const options = { tail, follow: flagOf(request, 'follow') }
  const output = context.unitLogs({ unit, machine }, options, signal)
  const chunks = await started(output, context.clock, signal)
  return { status: 200, body: { kind: 'stream', chunks, type: 'text/plain; charset=utf-8' } }
}

function placeOf(records: ClusterRecords, unit: string, wanted: string | undefined): string {
  const places = records.placements.flatMap(({ value }) =>
    value.unit === unit ? value.machine : [],
  )
  if (wanted !== undefined) {
    const { id, name } = machineOf(records, wanted)
    if (places.includes(id)) return id
    throw new JangadaError('JGD_NOT_FOUND', `${unit} is not on ${name}`, { hint: 'jangada units' })
  }
  const [first, second] = places
  if (first === undefined) {
    throw new JangadaError('JGD_NOT_FOUND', `${unit} is on no machine`, {
      hint: `jangada why ${unit}`,
    })
  }
  if (second !== undefined) {
    const names = places.map((id) => records.machines.get(id)?.name ?? id)
    throw new JangadaError('JGD_CONFLICT', `${unit} is on ${names.length} machines`, {
      hint: `name one of them with --machine: ${names.join(', ')}`,
    })
  }
  return first
}

/** The same chunks, once the first is there or has had time to fail. */
async function started(
  chunks: AsyncIterable<Uint8Array>,
  clock: Clock,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = iterator.next()
  const enough = new AbortController()
  const patience = sleep(clock, firstWordMs, AbortSignal.any([signal, enough.signal]))
  try {
    await Promise.race([first, patience])
  } finally {
    enough.abort()
  }
  return resume(iterator, first)
}
