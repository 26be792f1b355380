/**
 * A machine leaves: first it counts as left, so that its units and its vote go, and once nothing of
 * them is there its key is taken off the list. Asked again and again until it says that it is done.
 */
import * as Type from 'typebox'
import { JangadaError } from '../../base/errors.ts'
import { featureLevel, features, firstFeatureLevel } from '../../core/records/features.ts'
import {
  admissions,
  labels,
  leaving,
  machines,
  states,
  voting,
} from '../../core/records/keyspace.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import { decideAndSee, type Decision, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import type { MemberRow } from './answers.ts'
import type { LeaveAnswer } from './operation-answers.ts'
import { bodyReader } from './check.ts'
import type { ApiContext } from './context.ts'
import { requireFeature } from './feature-level.ts'
import { machineOf } from './machine-of.ts'
import { readWishes, requireReplacement } from './members.ts'
import { json } from './messages.ts'
import type { ClusterRecords } from './records.ts'
import type { Route } from './router.ts'
import { memberRows, unitsToMove } from './rows.ts'
import { readWithFacts } from './unit-facts.ts'

const readLeave = bodyReader(
  Type.Object({
    /** Though units have no other place, it is lost, or the cluster could lose fewer machines then. */
    force: Type.Optional(Type.Boolean()),
  }),
)

export function leaveRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/machines/:id/leave',
      access: 'admin',
      handle: async (request) => {
        const { force = false } = readLeave({ body: request.body ?? {} })
        const asked = request.parameters['id'] ?? ''
        return json(await decideAndSee(context.store, () => decideLeave(context, asked, force)))
      },
    },
  ]
}

async function decideLeave(
  context: ApiContext,
  asked: string,
  force: boolean,
): Promise<Decision<LeaveAnswer>> {
  const records = await readWithFacts(context, 'linearizable')
  const rows = memberRows(records, await context.store.view())
  const machine = records.machines.get(asked) ?? machineOf(records, asked)
  if (machine.status === 'left') return finish(context, records, machine, rows, force)
  requireFeature(records, 'leave')
  await requireMayLeave(context, records, machine, rows, force)
  const stored = await readRecord(context.store, machines, machine.id)
  const { drain: _, ...rest } = machine
  const record: MachineRecord = {
    ...rest,
    status: 'left',
    statusSinceMs: context.clock.wallMs(),
    ...(machine.status === 'lost' && { silent: true }),
  }
  const message = `${machine.name} leaves: what runs there is stopped`
  const event = { kind: 'machine.leaves', severity: 'info', message, machine: machine.id } as const
  return {
    value: answerOf(records, record, rows),
    compare: [
      {
        target: 'modRevision',
        key: machines.key(machine.id),
        is: '=',
        to: stored?.modRevision ?? 0,
      },
    ],
    then: [
      machines.put(record, machine.id),
      voting.put(
        { v: 1, machineId: machine.id, wish: 'client', setMs: record.statusSinceMs },
        machine.id,
      ),
      putEvent(context, event),
    ],
  }
}

/** Throws JGD_CONFLICT or JGD_FEATURE_LEVEL. */
async function requireMayLeave(
  context: ApiContext,
  records: ClusterRecords,
  machine: MachineRecord,
  rows: readonly MemberRow[],
  force: boolean,
): Promise<void> {
  const { id, name, status } = machine
  const voters = rows.filter(({ role }) => role === 'voter')
  const isVoter = voters.some(({ machineId }) => machineId === id)
  const others = voters.filter(
    ({ machineId }) => machineId !== id && records.machines.get(machineId)?.status === 'ready',
  )
  if (others.length === 0) {
    throw new JangadaError('JGD_CONFLICT', `${name} has the only vote, and cannot leave`, {
      hint: 'let another machine vote first: jangada members promote MACHINE',
    })
  }
  if (status === 'ready' && (machine.featureLevel ?? firstFeatureLevel) < features.leave) {
    throw new JangadaError('JGD_FEATURE_LEVEL', `${name} runs a release that cannot leave`, {
      hint: `update it first: it knows feature level ${machine.featureLevel ?? firstFeatureLevel} of ${featureLevel}`,
    })
  }
  if (force) return
  if (status === 'lost') throw mayRunOn(name)
  const left = unitsToMove(records, id)
  if (left > 0) {
    throw new JangadaError('JGD_CONFLICT', `${left} units are on ${name} that may run elsewhere`, {
      hint: `jangada drain ${name}, or say --force: they are stopped there, and start elsewhere after`,
    })
  }
  if (isVoter) requireReplacement(records, machine, voters.length, await readWishes(context.store))
}

const mayRunOn = (name: string): JangadaError =>
  new JangadaError('JGD_CONFLICT', `${name} is lost: what runs there may run on`, {
    hint: 'make sure that it is switched off, and say --force',
  })

/**
 * Nothing is written until its containers are gone and its member is. Where nobody is there to tell of
 * the containers, people must; throws JGD_CONFLICT until they have.
 */
async function finish(
  context: ApiContext,
  records: ClusterRecords,
  machine: MachineRecord,
  rows: readonly MemberRow[],
  force: boolean,
): Promise<Decision<LeaveAnswer>> {
  const { id, name } = machine
  if (machine.silent === true && !force && unitsThere(records, id).size > 0) throw mayRunOn(name)
  const value = answerOf(records, machine, rows)
  const admission = await readRecord(context.store, admissions, id)
  if (!value.isDone || admission === undefined) return { value, compare: [], then: [] }
  const message = `${name} has left, and its key is known no more`
  const event = { kind: 'machine.left', severity: 'info', message, machine: id } as const
  return {
    value,
    compare: [unchanged(admission.key, admission)],
    then: [
      { kind: 'delete', key: admission.key },
      { kind: 'delete', key: voting.key(id) },
      { kind: 'delete', key: labels.key(id) },
      { kind: 'delete', ...states.under(id) },
      { kind: 'delete', ...leaving.under(id) },
      putEvent(context, event),
    ],
  }
}

function unitsThere(records: ClusterRecords, machine: string, silent = false): Set<string> {
  const names = new Set<string>()
  for (const { value } of records.placements) if (value.machine === machine) names.add(value.unit)
  // What a machine said last of what it stops, it will not take back when nobody is there.
  if (silent) return names
  for (const state of records.states.values()) {
    if (state.machine === machine) names.add(state.unit)
  }
  return names
}

function answerOf(
  records: ClusterRecords,
  { id, name, status, silent }: MachineRecord,
  rows: readonly MemberRow[],
): LeaveAnswer {
  const names = unitsThere(records, id, silent)
  const isMember = rows.some(({ machineId }) => machineId === id)
  const isDone = status === 'left' && names.size === 0 && !isMember
  return { id, name, status, units: names.size, isMember, isDone }
}
