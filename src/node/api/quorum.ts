/** How safe the vote is, in words, and how many voters to hold. */
import * as Type from 'typebox'
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import { firstFeatureLevel } from '../../core/records/features.ts'
import { clusterSettings } from '../../core/records/keyspace.ts'
import type { Operation } from '../../core/store/types.ts'
import { describeQuorum, type QuorumMember } from '../../core/voters/quorum.ts'
import { majorityOf } from '../../core/voters/view.ts'
import type { FollowerReport, QuorumReport } from '../controllers/quorum-report.ts'
import { decideAndSee, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import type { MemberRow, QuorumAnswer, QuorumRow } from './answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { requireFeature } from './feature-level.ts'
import { type ApiResponse, json } from './messages.ts'
import { readCluster } from './records.ts'
import type { Route, RoutedRequest } from './router.ts'
import { memberRows, stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'

const readSettings = bodyReader(
  Type.Object({
    voters: Type.Optional(
      Type.Union([Type.Literal(1), Type.Literal(3), Type.Literal(5), Type.Literal(7)]),
    ),
    /** Whether machines that keep their state in memory may vote. */
    volatile: Type.Optional(Type.Boolean()),
  }),
)
const defaultVoters = 3

export function quorumRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/quorum',
      access: 'read',
      handle: async () => json(await tellQuorum(context)),
    },
    {
      method: 'PATCH',
      path: '/v1/quorum',
      access: 'admin',
      handle: (request) => setVoting(context, request),
    },
  ]
}

async function tellQuorum(context: ApiContext): Promise<QuorumAnswer> {
  const report = await reportOf(context)
  const view = await viewOrCutOff(context)
  const records = await readCluster(context.store)
  const rows = memberRows(records, view)
  const common = {
    revision: records.revision,
    stale: stalenessOf(view),
    asked: records.settings?.voters ?? defaultVoters,
    featureLevel: records.settings?.featureLevel ?? firstFeatureLevel,
  }
  return { ...common, ...(report === undefined ? untold(rows) : told(rows, report)) }
}

/** Undefined when no leader answers: then the vote itself is what is in question. */
async function reportOf(context: ApiContext): Promise<QuorumReport | undefined> {
  try {
    return await context.quorum()
  } catch (error) {
    if (isJangadaError(error)) return undefined
    throw error
  }
}

type Told = Omit<QuorumAnswer, 'revision' | 'stale' | 'asked' | 'featureLevel'>

function told(rows: readonly MemberRow[], report: QuorumReport): Told {
  const { members, isJoint, leader, waiting } = report
  const nameOf = (id: number): string => rows.find((row) => row.id === id)?.name ?? `member ${id}`
  const named = (each: FollowerReport): QuorumMember => ({ name: nameOf(each.memberId), ...each })
  const voters = members.filter(({ votes }) => votes)
  const standbys = members.filter(({ votes }) => !votes)
  const { words, majority, canLose } = describeQuorum(
    voters.map(named),
    standbys.map(named),
    isJoint,
  )
  const toRow = (each: FollowerReport): QuorumRow => ({
    id: each.memberId,
    name: nameOf(each.memberId),
    role: each.votes ? 'voter' : 'learner',
    isLeader: each.memberId === leader,
    answers: each.answers,
    silentMs: each.silentMs,
    behindMs: each.behindMs,
    behindEntries: each.behindEntries,
  })
  return { words, voters: voters.length, majority, canLose, waiting, members: members.map(toRow) }
}

function untold(rows: readonly MemberRow[]): Told {
  const voters = rows.filter(({ role }) => role === 'voter').length
  const majority = voters === 0 ? 0 : majorityOf(voters)
  const members = rows.map(({ id, name, role }): QuorumRow => {
    const unknown = { answers: null, silentMs: null, behindMs: null, behindEntries: null }
    return { id, name, role, isLeader: false, ...unknown }
  })
  const words =
    voters === 0
      ? 'no member answers: nothing is known of the vote'
      : `${voters === 1 ? '1 voter' : `${voters} voters`}; no leader is known here: writes wait ` +
        `until ${majority} of them reach each other`
  return { words, voters, majority, canLose: null, waiting: '', members }
}

async function setVoting(context: ApiContext, request: RoutedRequest): Promise<ApiResponse> {
  const asked = readSettings(request)
  await decideAndSee(context.store, async () => {
    const stored = await readRecord(context.store, clusterSettings, 'cluster')
    if (stored === undefined) {
      throw new JangadaError('JGD_NOT_FOUND', 'the cluster has no settings that can be read')
    }
    const { voters: before, volatileVoters: wereVolatile = false } = stored.value
    const { voters = before, volatile: volatileVoters = wereVolatile } = asked
    const messages = [
      ...(voters === before ? [] : [`${voters} voters are asked for, instead of ${before}`]),
      ...(volatileVoters === wereVolatile ? [] : [volatileWords(volatileVoters)]),
    ]
    if (messages.length === 0) return { compare: [], then: [], value: undefined }
    if (volatileVoters) requireFeature(await readCluster(context.store), 'volatileVoters')
    const record = { ...stored.value, voters, volatileVoters }
    const toEvent = (message: string): Operation =>
      putEvent(context, { kind: 'voters.asked', severity: 'info', message })
    return {
      compare: [unchanged(stored.key, stored)],
      then: [clusterSettings.put(record, 'cluster'), ...messages.map(toEvent)],
      value: undefined,
    }
  })
  return json(await tellQuorum(context))
}

const volatileWords = (volatile: boolean): string =>
  volatile
    ? 'machines without a disk may vote: what a majority of the voters loses together is lost'
    : 'only machines with a disk may vote'
