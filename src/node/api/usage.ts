/** What units use at this moment, asked of the machines that they are on. */
import { isJangadaError } from '../../base/errors.ts'
import { machineId } from '../../base/ids.ts'
import type { MachineRecord } from '../../core/records/schemas.ts'
import { noNeeds } from '../../core/scheduler/room.ts'
import type { UnitUsage } from '../agent/usage.ts'
import type { ApiContext } from './context.ts'
import { machineOf } from './machine-of.ts'
import { json } from './messages.ts'
import type { UsageAnswer, UsageRow } from './operation-answers.ts'
import type { ClusterRecords } from './records.ts'
import type { Route } from './router.ts'
import { stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'
import { factsOf, readWithFacts } from './unit-facts.ts'

/** Machines asked at the same time. */
const askedAtOnce = 32

export function usageRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/usage',
      access: 'read',
      handle: async ({ query }) => {
        const view = await viewOrCutOff(context)
        const records = await readWithFacts(context)
        const wanted = query.get('machine')
        const asked =
          wanted === undefined
            ? [...records.machines.values()].filter(({ status }) => status === 'ready')
            : [machineOf(records, wanted)]
        const told = await askAll(context, asked)
        const lost = [...records.machines.values()].filter(({ status }) => status === 'lost')
        const answer: UsageAnswer = {
          revision: records.revision,
          stale: stalenessOf(view),
          units: told.flatMap(({ machine, units }) =>
            (units ?? []).map((unit) => rowOf(records, machine, unit)),
          ),
          silent: [
            ...told.flatMap(({ machine, units }) => (units === undefined ? machine.name : [])),
            ...(wanted === undefined ? lost.map(({ name }) => name) : []),
          ],
        }
        return json(answer)
      },
    },
  ]
}

interface Told {
  readonly machine: MachineRecord
  /** Undefined: it did not answer. */
  readonly units: readonly UnitUsage[] | undefined
}

async function askAll(context: ApiContext, machines: readonly MachineRecord[]): Promise<Told[]> {
  const told: Told[] = []
  const waiting = [...machines]
  const some = async (): Promise<void> => {
    for (let machine = waiting.shift(); machine !== undefined; machine = waiting.shift()) {
      told.push({ machine, units: await askOne(context, machine) })
    }
  }
  await Promise.all(Array.from({ length: askedAtOnce }, some))
  return told.toSorted((a, b) => (a.machine.name < b.machine.name ? -1 : 1))
}

async function askOne(
  context: ApiContext,
  { id }: MachineRecord,
): Promise<readonly UnitUsage[] | undefined> {
  try {
    return await context.unitUsage(machineId(id))
  } catch (error) {
    if (!isJangadaError(error)) throw error
    context.log.debug('a machine does not tell what its units use', {
      machine: id,
      code: error.code,
    })
    return undefined
  }
}

function rowOf(
  records: ClusterRecords,
  { id, name }: MachineRecord,
  { unit, memoryBytes, cpus }: UnitUsage,
): UsageRow {
  const record = records.units.get(unit)
  const needs = record === undefined ? noNeeds : factsOf(record).needs
  return {
    unit,
    machine: id,
    machineName: name,
    used: { memoryBytes, cpus: Math.round(cpus * 1000) / 1000 },
    reserved: { memoryBytes: needs.memoryBytes, cpus: needs.nanoCpus / 1e9 },
  }
}
