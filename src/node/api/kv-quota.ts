/** How full the store is, and how full it may get. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { quotaAlarm, quotaLimit } from '../../core/records/keyspace.ts'
import { quotaBytesMin } from '../../core/store/quota.ts'
import { putEvent } from '../enrol/context.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import type { KvQuotaAnswer } from './kv-answers.ts'
import { json } from './messages.ts'
import type { Route } from './router.ts'

/** More than any process here can hold. */
const quotaBytesMax = 64 * 1_073_741_824

const readQuota = bodyReader(
  Type.Object(
    { quotaBytes: Type.Integer({ minimum: quotaBytesMin, maximum: quotaBytesMax }) },
    { additionalProperties: false },
  ),
)

export function kvQuotaRoutes(context: ApiContext): Route[] {
  const path = '/v1/kv/quota'
  return [
    { method: 'GET', path, access: 'read', handle: async () => json(await quotaOf(context)) },
    {
      method: 'PUT',
      path,
      access: 'admin',
      handle: async (request) => {
        const { quotaBytes: bytes } = readQuota(request)
        const mib = Math.floor(bytes / 1_048_576)
        const message = `the store's quota is ${mib} MiB from now on`
        const then = [
          quotaLimit.put({ v: 1, bytes, setMs: context.clock.wallMs() }, 'limit'),
          putEvent(context, { kind: 'store.quota', severity: 'info', message }),
        ]
        await context.store.transact({ compare: [], then, otherwise: [] })
        return json(await quotaOf(context))
      },
    },
  ]
}

/** Linearizable but for the bytes, which are those of the member that answers. */
async function quotaOf({ store }: ApiContext): Promise<KvQuotaAnswer> {
  const { items } = await store.range({ key: quotaAlarm.key('alarm') }, 'linearizable')
  const { room } = await store.view()
  if (room === undefined) {
    throw new JangadaError('JGD_NOT_FOUND', 'the member that answers keeps no quota', {
      hint: 'it runs an earlier version: update it',
    })
  }
  const alarm = items[0] === undefined ? undefined : quotaAlarm.read(items[0])?.value
  return { ...room, fullSinceMs: alarm?.sinceMs ?? null }
}
