/** Members of the consensus group: who they are, who should be, and handing over the lead. */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { machineId } from '../../base/ids.ts'
import { voting } from '../../core/records/keyspace.ts'
import type { MachineRecord, VotingRecord } from '../../core/records/schemas.ts'
import { largestOdd } from '../../core/voters/view.ts'
import { decideAndSee, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import type { StoreAccess } from '../member/store-access.ts'
import type { MemberDetails, MembersAnswer, VotingWish, WishAnswer } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { requireFeature } from './feature-level.ts'
import { machineOf } from './machine-of.ts'
import { type ApiResponse, json } from './messages.ts'
import { type ClusterRecords, readCluster, readRange } from './records.ts'
import type { Route, RoutedRequest } from './router.ts'
import { memberRows, stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'

const readTransfer = bodyReader(Type.Object({ machine: Type.String({ maxLength: 256 }) }))
const readWish = bodyReader(
  Type.Object({
    /** `as-is`: what it does now, from now on. */
    wish: Type.Union([
      Type.Literal('auto'),
      Type.Literal('voter'),
      Type.Literal('client'),
      Type.Literal('as-is'),
    ]),
    /** Though the cluster could lose fewer machines then. */
    force: Type.Optional(Type.Boolean()),
  }),
)

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
      path: '/v1/members/:machine/wish',
      access: 'admin',
      handle: (request) => setWish(context, request),
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
  const wishes = await readWishes(context.store)
  const members = memberRows(records, view).map((row): MemberDetails => {
    const status = records.machines.get(row.machineId)?.status ?? 'left'
    return { ...row, status, wish: wishes.get(row.machineId) ?? 'auto' }
  })
  return { revision: records.revision, stale: stalenessOf(view), members }
}

/** By machine; who is not named leaves it to the cluster. */
export async function readWishes(
  store: Pick<StoreAccess, 'range'>,
): Promise<ReadonlyMap<string, VotingRecord['wish']>> {
  const { items } = await readRange(store, voting.range, { consistency: 'local' })
  const records = items.flatMap((item) => voting.read(item)?.value ?? [])
  return new Map(records.map(({ machineId: id, wish }) => [id, wish]))
}

async function setWish(context: ApiContext, request: RoutedRequest): Promise<ApiResponse> {
  const { wish: asked, force = false } = readWish(request)
  const answer = await decideAndSee(context.store, async () => {
    const records = await readCluster(context.store, 'linearizable')
    requireFeature(records, 'votingWishes')
    const machine = machineOf(records, request.parameters['machine'] ?? '')
    const { id, name } = machine
    const rows = memberRows(records, await context.store.view())
    const role = rows.find((row) => row.machineId === id)?.role ?? 'client'
    const wish = asked === 'as-is' ? (role === 'voter' ? 'voter' : 'client') : asked
    if (wish === 'voter') requireAbleToVote(records, machine)
    if (wish === 'client' && role === 'voter' && !force) {
      const voters = rows.filter((row) => row.role === 'voter').length
      requireReplacement(records, machine, voters, await readWishes(context.store))
    }
    const before = await readRecord(context.store, voting, id)
    const value: WishAnswer = { id, name, wish, role }
    if ((before?.value.wish ?? 'auto') === wish) return { compare: [], then: [], value }
    const key = voting.key(id)
    const record = { v: 1, machineId: id, setMs: context.clock.wallMs() } as const
    const message = `${name}: ${wishWords[wish]}`
    return {
      compare: [unchanged(key, before)],
      then: [
        wish === 'auto' ? { kind: 'delete', key } : voting.put({ ...record, wish }, id),
        putEvent(context, { kind: 'member.wish', severity: 'info', message, machine: id }),
      ],
      value,
    }
  })
  return json(answer)
}

const wishWords: Readonly<Record<VotingWish, string>> = {
  auto: 'the cluster chooses whether it votes',
  voter: 'it is to vote',
  client: 'it is not to vote',
}

function requireAbleToVote(
  records: ClusterRecords,
  { name, roleCeiling, durable }: MachineRecord,
): void {
  if (roleCeiling !== 'voter') {
    throw new JangadaError('JGD_CONFLICT', `${name} was let in as a client, and may not vote`, {
      hint: 'let it join again with a token made by "jangada token --voter"',
    })
  }
  if (!durable && records.settings?.volatileVoters !== true) {
    throw new JangadaError('JGD_CONFLICT', `${name} keeps its state in memory, and may not vote`, {
      hint: 'promote a machine with a disk; or see "jangada quorum --help" for --volatile',
    })
  }
}

/** Throws JGD_CONFLICT when fewer would vote without it. */
export function requireReplacement(
  records: ClusterRecords,
  leaving: MachineRecord,
  voters: number,
  wishes: ReadonlyMap<string, VotingWish>,
): void {
  const others = [...records.machines.values()].filter(
    ({ id, status, roleCeiling, durable }) =>
      id !== leaving.id &&
      status === 'ready' &&
      roleCeiling === 'voter' &&
      (durable || records.settings?.volatileVoters === true) &&
      wishes.get(id) !== 'client',
  )
  const left = largestOdd(Math.min(records.settings?.voters ?? voters, others.length))
  if (left >= voters) return
  throw new JangadaError(
    'JGD_CONFLICT',
    `nobody could vote in place of ${leaving.name}: ${left} of ${voters} voters would be left (their number is odd)`,
    { hint: 'join another machine that may vote first, or say --force' },
  )
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
