/** Machines that join or renew. `/v1/enrol` is open: its proof is in the body. */
import type { EnrolRequest, RenewRequest } from '../enrol/messages.ts'
import { enrolPath, isEnrolRequest, isRenewRequest, renewPath } from '../enrol/messages.ts'
import type { VersionAnswer } from './answers.ts'
import { badRequest } from './check.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import { readCluster } from './records.ts'
import type { Route } from './router.ts'

export function enrolmentRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'POST',
      path: enrolPath,
      access: 'open',
      handle: async ({ body, remoteAddress }) => {
        if (!isEnrolRequest(body)) throw badRequest('this is no request to join')
        const answer = await context.enrol(body satisfies EnrolRequest, remoteAddress)
        return json(answer, answer.state === 'pending' ? 202 : 200)
      },
    },
    {
      method: 'POST',
      path: renewPath,
      access: 'machine',
      handle: async ({ body, peer }) => {
        if (!isRenewRequest(body)) throw badRequest('this is no request to renew')
        if (peer === undefined) throw badRequest('a certificate renews its own key only')
        return json(await context.renew(peer, body satisfies RenewRequest))
      },
    },
    {
      method: 'GET',
      path: '/v1/version',
      access: 'read',
      handle: async () => json(await version(context)),
    },
  ]
}

async function version(context: ApiContext): Promise<VersionAnswer> {
  const { settings } = await readCluster(context.store)
  const told =
    settings === undefined
      ? null
      : { admission: settings.admission, status: settings.status, voters: settings.voters }
  return { version: context.version, cluster: context.clusterId, settings: told }
}
