/** Members of the consensus group, and handing over the lead. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { machineId } from '../../base/ids.ts'
import type { MembersAnswer } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { machineOf } from './machines.ts'
import { type ApiResponse, json } from './messages.ts'
import { readCluster } from './records.ts'
import type { Route, RoutedRequest } from './router.ts'
import { memberRows, stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'

const readTransfer = bodyReader(Type.Object({ machine: Type.String({ maxLength: 256 }) }))

export function memberRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/members',
      access: 'read',
      handle: async () => json(await listMembers(context)),
    },
    {
      method: 'POST',
      path: '/v1/leader/transfer',
      access: 'admin',
      handle: (request) => transfer(context, request),
    },
  ]
}

async function listMembers(context: ApiContext): Promise<MembersAnswer> {
  const view = await viewOrCutOff(context)
  const records = await readCluster(context.store)
  const members = memberRows(records, view)
  return { revision: records.revision, stale: stalenessOf(view), members }
}

async function transfer(context: ApiContext, request: RoutedRequest): Promise<ApiResponse> {
  const { machine } = readTransfer(request)
  const records = await readCluster(context.store)
  const { id, name } = machineOf(records, machine)
  const rows = memberRows(records, await context.store.view())
  const member = rows.find((row) => row.machineId === id && row.role === 'voter')
  if (member === undefined) {
    throw new JangadaError('JGD_CONFLICT', `${name} does not vote, so it cannot lead`, {
      hint: `voters are ${rows
        .filter((row) => row.role === 'voter')
        .map((row) => row.name)
        .join(', ')}`,
    })
  }
  if (!member.isLeader) await context.transferLeader(machineId(id))
  return json({ machine: id, name, memberId: member.id })
}
