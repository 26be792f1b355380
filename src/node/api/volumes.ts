/** Named volumes: where they are, who uses them, and how one is given up. */
import { JangadaError } from '../../base/errors.ts'
import { volumes } from '../../core/records/keyspace.ts'
import type { VolumeRecord } from '../../core/records/schemas.ts'
import { decideAndSee, type Decision, putEvent, readRecord, unchanged } from '../enrol/context.ts'
import type { VolumeRow, VolumesAnswer } from './answers.ts'
import type { ApiContext } from './context.ts'
import { pick } from './machine-of.ts'
import { json } from './messages.ts'
import type { ClusterRecords } from './records.ts'
import type { Route } from './router.ts'
import { stalenessOf } from './rows.ts'
import { viewOrCutOff } from './status.ts'
import { factsOf, readWithFacts } from './unit-facts.ts'

export function volumeRoutes(context: ApiContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/volumes',
      access: 'read',
      handle: async () => {
        const view = await viewOrCutOff(context)
        const records = await readWithFacts(context)
        const { revision } = records
        const usersOf = usersByVolume(records)
        const rows = records.volumes.map((record) => rowOf(records, record, usersOf))
        return json({ revision, stale: stalenessOf(view), volumes: rows } satisfies VolumesAnswer)
      },
    },
    {
      method: 'DELETE',
      path: '/v1/volumes/:name',
      access: 'deploy',
      handle: async ({ parameters: { name = '' }, query }) => {
        const machine = query.get('machine')
        const forgotten = await decideAndSee(context.store, () =>
          decideForget(context, name, machine),
        )
        return json({ volumes: forgotten })
      },
    },
  ]
}

/** Names of units by the volumes that they name: one look at each unit, however many volumes there are. */
function usersByVolume({ units }: ClusterRecords): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>()
  for (const unit of units.values()) {
    for (const name of new Set(factsOf(unit).needs.volumes)) {
      const named = users.get(name)
      if (named === undefined) users.set(name, [unit.name])
      else named.push(unit.name)
    }
  }
  return users
}

function rowOf(
  records: ClusterRecords,
  { name, machine, driver, sinceMs }: VolumeRecord,
  usersOf: ReadonlyMap<string, readonly string[]>,
): VolumeRow {
  const at = records.machines.get(machine)
  return {
    name,
    machine,
    machineName: at?.name ?? null,
    status: at?.status ?? 'left',
    driver,
    units: usersOf.get(name) ?? [],
    sinceMs,
  }
}

/** Throws JGD_NOT_FOUND, and JGD_CONFLICT where a unit is that uses it or more than one is meant. */
async function decideForget(
  context: ApiContext,
  name: string,
  machine: string | undefined,
): Promise<Decision<readonly VolumeRow[]>> {
  const records = await readWithFacts(context, 'linearizable')
  const all = records.volumes.filter((each) => each.name === name)
  if (all.length === 0) {
    throw new JangadaError('JGD_NOT_FOUND', `there is no volume ${name}`, {
      hint: 'jangada volumes',
    })
  }
  const usersOf = usersByVolume(records)
  const rows = all.map((each) => rowOf(records, each, usersOf))
  if (machine === undefined && rows.length > 1) {
    throw new JangadaError('JGD_CONFLICT', `${name} is on more than one machine`, {
      hint: 'name one: --machine MACHINE',
    })
  }
  const label = (row: VolumeRow) => ({ id: row.machine, name: row.machineName ?? '' })
  const row = machine === undefined ? rows[0] : pick(rows, machine, label, 'jangada volumes')
  if (row === undefined) throw new JangadaError('JGD_NOT_FOUND', `there is no volume ${name}`)
  const user = records.placements.find(
    ({ value }) => value.machine === row.machine && row.units.includes(value.unit),
  )?.value.unit
  if (user !== undefined && row.status === 'ready') {
    throw new JangadaError(
      'JGD_CONFLICT',
      `${user} uses ${name} on ${row.machineName ?? 'its machine'}`,
      {
        hint: `jangada unload ${user}, and then again`,
      },
    )
  }
  const stored = await readRecord(context.store, volumes, name, row.machine)
  const where = row.machineName ?? row.machine.slice(0, 8)
  const event = {
    kind: 'volume.forgotten',
    severity: 'warning',
    message: `volume ${name} on ${where} is forgotten: it may be made anew elsewhere`,
    machine: row.machine,
  } as const
  const key = volumes.key(name, row.machine)
  return {
    value: [row],
    compare: [unchanged(key, stored)],
    then: [{ kind: 'delete', key }, putEvent(context, event)],
  }
}
