/** Units as they are: lists, one unit, and why it is where it is. */
import { JangadaError } from '../../base/errors.ts'
import { wasStorm } from '../../core/liveness/storm.ts'
import type { Stored } from '../../core/records/record.ts'
import type { MachineRecord, PlacementRecord, UnitRecord } from '../../core/records/schemas.ts'
import { defaults } from '../../core/records/settings.ts'
import type { Obstacle, Snapshot } from '../../core/scheduler/types.ts'
import { Explainer } from '../../core/scheduler/why.ts'
import type { UnitSpec } from '../../core/units/types.ts'
import { parseUnit } from '../../core/units/unit.ts'
import { Stretches } from '../../ports/stretches.ts'
import { snapshotOf as schedulerSnapshot } from '../controllers/snapshot.ts'
import type {
  Listing,
  UnitAnswer,
  UnitFileRow,
  UnitFilesAnswer,
  UnitsAnswer,
  WhyAnswer,
} from './answers.ts'
import type { ApiContext } from './context.ts'
import { json } from './messages.ts'
import { factsOf, isGlobal, readWithFacts, schedulerUnitOf } from './unit-facts.ts'
import type { ClusterRecords } from './records.ts'
import type { Route } from './router.ts'
import { isTemplate, scheduleOf, stalenessOf, unitRows } from './rows.ts'
import { viewOrCutOff } from './status.ts'

export function unitRoutes(context: ApiContext): Route[] {
  const get = (
    path: string,
    answer: (records: ClusterRecords, listing: Listing, name: string) => unknown,
  ): Route => ({
    method: 'GET',
    path,
    access: 'read',
    handle: async ({ parameters }) => {
      const view = await viewOrCutOff(context)
      const records = await readWithFacts(context)
      const listing = { revision: records.revision, stale: stalenessOf(view) }
      return json(await answer(records, listing, parameters['name'] ?? ''))
    },
  })
  return [
    get('/v1/units', (records, listing): UnitsAnswer => {
      return { ...listing, units: unitRows(records) }
    }),
    get('/v1/unit-files', (records, listing): UnitFilesAnswer => {
      return { ...listing, unitFiles: unitFileRows(records) }
    }),
    get('/v1/units/:name', oneUnit),
    get('/v1/units/:name/why', (records, listing, name) => why(context, records, listing, name)),
  ]
}

/** Throws JGD_UNIT_UNKNOWN. */
export function requireUnit(records: ClusterRecords, name: string): UnitRecord {
  const unit = records.units.get(name)
  if (unit !== undefined) return unit
  throw unknownUnit(name)
}

export const unknownUnit = (name: string): JangadaError =>
  new JangadaError('JGD_UNIT_UNKNOWN', `there is no unit ${name}`, {
    hint: 'see what there is: jangada unit-files; or submit its file: jangada submit FILE',
  })

export const isTemplateError = (name: string): JangadaError =>
  new JangadaError('JGD_UNIT_IS_TEMPLATE', `${name} is a template, and templates do not run`, {
    hint: `name instances: jangada start ${name.replace('@.service', '@{1..3}')}`,
  })

function oneUnit(records: ClusterRecords, listing: Listing, name: string): UnitAnswer {
  const { file, hash, desired, submittedMs } = requireUnit(records, name)
  const parsed = parseUnit(name, file)
  return {
    ...listing,
    name,
    file,
    hash,
    desired,
    submittedMs,
    isTemplate: isTemplate(name),
    isGlobal: parsed.ok && parsed.spec.placement.global,
    summary: parsed.ok ? summaryOf(parsed.spec) : null,
    states: isTemplate(name) ? [] : unitRows(records, name),
  }
}

const summaryOf = (spec: UnitSpec): UnitAnswer['summary'] => ({
  description: spec.description,
  image: spec.image,
  restart: spec.restart,
  after: spec.dependencies.after,
  requires: [...spec.dependencies.requires, ...spec.dependencies.bindsTo],
  needs: spec.needs,
  rules: spec.placement,
})

function unitFileRows(records: ClusterRecords): UnitFileRow[] {
  const rows = Map.groupBy(unitRows(records), ({ name }) => name)
  const schedule = scheduleOf(records)
  return [...records.units.values()].map((unit) => {
    const { name, hash, desired } = unit
    const states = rows.get(name) ?? []
    const placed = states.filter(({ machine }) => machine !== null)
    return {
      name,
      hash,
      desired,
      state: schedule(name).state,
      isTemplate: isTemplate(name),
      isGlobal: isGlobal(unit),
      description: factsOf(unit).description,
      targets: placed.map(({ machine, machineName, machineAddress }) => ({
        machine: machine ?? '',
        name: machineName,
        address: machineAddress,
      })),
    }
  })
}

async function why(
  { clock }: ApiContext,
  records: ClusterRecords,
  listing: Listing,
  name: string,
): Promise<WhyAnswer> {
  const record = requireUnit(records, name)
  if (isTemplate(name)) throw isTemplateError(name)
  const snapshot = snapshotOf(records, clock.wallMs())
  const unit = snapshot.units.find((each) => each.name === name)
  if (unit === undefined) {
    throw new JangadaError('JGD_UNIT_UNSUPPORTED', `this node does not understand ${name}`, {
      hint: 'another version submitted it: update this node',
    })
  }
  const nameOf = (machine: string): string =>
    records.machines.get(machine)?.name ?? machine.slice(0, 8)
  const explainer = await new Stretches(clock).through(Explainer.inParts(snapshot))
  const reasons = explainer.why(unit, nameOf)
  const rows = unitRows(records, name)
  /** Where it is placed, what becomes of it there is the question that is left. */
  const stateOn = (machine: string): string => {
    const row = rows.find((each) => each.machine === machine)
    if (row === undefined) return ''
    return `: ${row.active} (${row.sub})${row.message === '' ? '' : `, ${row.message}`}`
  }
  const brake = brakeOn(name, records)
  /** The scheduler knows that it failed, and not of what. */
  const failure = records.crashes.get(name)?.message ?? ''
  const lastFailure = (obstacle: Obstacle | undefined): string =>
    obstacle?.kind === 'crashPause' || obstacle?.kind === 'parked' ? `: ${failure}` : ''
  return {
    ...listing,
    unit: name,
    desired: record.desired,
    isPlaced: reasons.some(({ verdict }) => verdict === 'placed'),
    machines: reasons.map(({ machine, verdict, text, units, obstacle }) => {
      const { name: machineName, address } = records.machines.get(machine) as MachineRecord
      const more = { placed: stateOn(machine), possible: brake, refused: lastFailure(obstacle) }
      const reason = `${text}${more[verdict]}`
      return { id: machine, name: machineName, address, verdict, reason, units }
    }),
  }
}

/** Why a unit whose machine is lost waits, though others may run it: many went at once. */
function brakeOn(name: string, { machines, placements, settings }: ClusterRecords): string {
  const places = placements.filter(({ value }) => value.unit === name)
  const isLost = ({ value }: Stored<PlacementRecord>): boolean =>
    machines.get(value.machine)?.status === 'lost'
  if (places.length === 0 || !places.every(isLost)) return ''
  const known = [...machines.values()].filter(({ status }) => status !== 'left')
  const lost = known.filter(({ status }) => status === 'lost')
  const lostAtMs = lost.map(({ statusSinceMs }) => statusSinceMs)
  if (!wasStorm(lostAtMs, known.length)) return ''
  const perSecond = settings?.replacementsPerSecond ?? defaults.replacementsPerSecond
  return (
    `; it waits for its turn: ${lost.length} of ${known.length} machines are lost at once, and their units ` +
    `start elsewhere at ${perSecond} a second, higher priorities first`
  )
}

/** As the placement controller sees it. */
export const snapshotOf = (
  { machines, units, placements, crashes, leaving, volumes }: ClusterRecords,
  wallMs: number,
): Snapshot =>
  schedulerSnapshot(
    {
      machines: machines.values(),
      units: units.values(),
      placements: placements.map(({ value }) => value),
      crashOf: (name) => crashes.get(name),
      leaving,
      volumes,
    },
    schedulerUnitOf,
    wallMs,
  )
