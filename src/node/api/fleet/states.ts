/** `/fleet/v1/state`: what becomes of each unit on its machine, in systemd's words. */
import type { UnitStateRecord } from '../../../core/records/schemas.ts'
import type { ApiContext } from '../context.ts'
import type { ApiResponse } from '../messages.ts'
import { type ClusterRecords, readCluster } from '../records.ts'
import { pageOf } from './pages.ts'
import { FleetRefusal, fleetJson } from './refusals.ts'
import type { FleetRequest } from './request.ts'

/** `?machineID=` and `?unitName=` narrow it; an empty one does not. */
export async function listStates(
  { store }: ApiContext,
  request: FleetRequest,
): Promise<ApiResponse> {
  const machine = request.query.get('machineID') ?? ''
  const unit = request.query.get('unitName') ?? ''
  const states = statesOf(await readCluster(store)).filter(
    (state) =>
      (machine === '' || state.machine === machine) && (unit === '' || state.unit === unit),
  )
  return fleetJson(pageOf('states', states, entityOf, request))
}

/** Of one of its machines, for a unit that is on several. */
export async function getState({ store }: ApiContext, unit: string): Promise<ApiResponse> {
  const state = statesOf(await readCluster(store)).find((one) => one.unit === unit)
  if (state === undefined) throw new FleetRefusal(404, 'unit state does not exist')
  return fleetJson(entityOf(state))
}

/** By unit, then by machine. Of a lost machine nothing is known: fleet's records of it end too. */
const statesOf = (records: ClusterRecords): UnitStateRecord[] =>
  [...records.states.values()]
    .filter(
      ({ unit, machine }) =>
        records.units.has(unit) && records.machines.get(machine)?.status === 'ready',
    )
    .toSorted((a, b) => compare(a.unit, b.unit) || compare(a.machine, b.machine))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const entityOf = ({ hash, machine, unit, active, load, sub }: UnitStateRecord): unknown => ({
  hash,
  machineID: machine,
  name: unit,
  systemdActiveState: active,
  systemdLoadState: load,
  systemdSubState: sub,
})
