/** Leases: keys put on one end together, when it is revoked or nobody keeps it alive. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { maxLeaseIdLength, maxLeaseTtlMs } from '../../core/store/types.ts'
import { badRequest, bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import type { KvLease, KvLeasesAnswer } from './kv-answers.ts'
import { json } from './messages.ts'
import type { Route, RoutedRequest } from './router.ts'

/** A shorter one would end whenever the leader changes and nobody hears keep-alives for a moment. */
const ttlMsMin = 1000

const readGrant = bodyReader(
  Type.Object(
    { ttlMs: Type.Integer({ minimum: ttlMsMin, maximum: maxLeaseTtlMs }) },
    { additionalProperties: false },
  ),
)

export function kvLeaseRoutes({ store }: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/kv/leases',
      access: 'read',
      handle: async ({ query }) => {
        const after = query.get('after') ?? ''
        if (after.length > maxLeaseIdLength) throw badRequest('after is the id of a lease')
        const answer: KvLeasesAnswer = await store.leaseList(after)
        return json(answer)
      },
    },
    {
      method: 'POST',
      path: '/v1/kv/leases',
      access: 'deploy',
      handle: async (request) => {
        const { ttlMs } = readGrant(request)
        const answer: KvLease = { id: await store.leaseGrant(ttlMs), ttlMs }
        return json(answer, 201)
      },
    },
    {
      method: 'POST',
      path: '/v1/kv/leases/:id/keepalive',
      access: 'deploy',
      handle: async (request) => {
        const id = idOf(request)
        if (await store.leaseKeepAlive(id)) return json({ id })
        throw new JangadaError('JGD_LEASE_UNKNOWN', `lease ${id} is unknown or has ended`, {
          hint: 'grant a new one, and put its keys again',
        })
      },
    },
    {
      method: 'DELETE',
      path: '/v1/kv/leases/:id',
      access: 'deploy',
      handle: async (request) => {
        const id = idOf(request)
        await store.leaseRevoke(id)
        return json({ id })
      },
    },
  ]
}

function idOf({ parameters }: RoutedRequest): string {
  const id = parameters['id'] ?? ''
  if (id.length > 0 && id.length <= maxLeaseIdLength && id.isWellFormed()) return id
  throw badRequest(`a lease's id has 1 to ${maxLeaseIdLength} characters`)
}
