/** Rows for people and programs, from the records; each field is named here or it is not told. */
import type { Capacity } from '../../base/room.ts'
import { generationOf } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type {
  CrashRecord,
  DesiredState,
  EventRecord,
  MachineRecord,
  MemberRecord,
  PlacementRecord,
  UnitRecord,
  UnitStateRecord,
  VolumeRecord,
} from '../../core/records/schemas.ts'
import { noNeeds } from '../../core/scheduler/room.ts'
import { capacityOf } from '../../core/units/capacity.ts'
import { parseUnitName } from '../../core/units/names.ts'
import type { BootTimelineEntry } from '../bootd/boot-step.ts'
import type { MemberView } from '../member/store-access.ts'
import type {
  BootRow,
  MachineDetails,
  MachineRow,
  MemberRow,
  PublicEvent,
  PublicUnitRow,
  Staleness,
  UnitRow,
} from './answers.ts'
import type { ClusterRecords } from './records.ts'
import { factsOf } from './unit-facts.ts'

export const stalenessOf = (view: MemberView): Staleness =>
  view.hasQuorum ? false : { forMs: Math.round(view.staleForMs) }

/** In the order of ids, as all lists here: every node gives the same answer. */
export function memberRows(records: ClusterRecords, view: MemberView): MemberRow[] {
  return records.members
    .toSorted((a, b) => a.memberId - b.memberId)
    .map((member) => memberRow(records, view, member))
}

function memberRow(records: ClusterRecords, view: MemberView, member: MemberRecord): MemberRow {
  const { memberId, machineId, address } = member
  return {
    id: memberId,
    machineId,
    name: records.machines.get(machineId)?.name ?? machineId.slice(0, 8),
    address,
    role: view.voters.some((id) => id === memberId) ? 'voter' : 'learner',
    isLeader: view.leader === memberId,
  }
}

export function machineRows(records: ClusterRecords): MachineRow[] {
  const counts = new Map<string, number>()
  for (const { value } of records.placements) {
    counts.set(value.machine, (counts.get(value.machine) ?? 0) + 1)
  }
  return sortedMachines(records).map(({ id, name, address, status, metadata }) => ({
    id,
    name,
    address,
    status,
    metadata,
    units: counts.get(id) ?? 0,
  }))
}

export function machineDetails(records: ClusterRecords, view: MemberView): MachineDetails[] {
  const reserved = reservedOf(records)
  const movable = movableOf(records)
  const roles = new Map(memberRows(records, view).map((row) => [row.machineId, row.role]))
  return machineRows(records).map((row) => {
    const machine = records.machines.get(row.id) as MachineRecord
    const { statusSinceMs, version, cpus, memoryBytes, durable, liveRestore, roleCeiling } = machine
    const more = { statusSinceMs, version, cpus, memoryBytes, durable, liveRestore, roleCeiling }
    return {
      ...row,
      ...more,
      role: roles.get(row.id) ?? 'client',
      capacity: amounts(capacityOf(machine)),
      reserved: amounts(reserved.get(row.id) ?? noNeeds),
      drain: machine.drain ?? null,
      unitsToMove: movable.get(row.id) ?? 0,
    }
  })
}

const amounts = ({ memoryBytes, nanoCpus }: Capacity): { memoryBytes: number; cpus: number } => ({
  memoryBytes,
  cpus: nanoCpus / 1e9,
})

/** By machine, how many units that are not global are placed there, or are still being stopped. */
function movableOf(records: ClusterRecords): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  const there = [...records.placements.map(({ value }) => value), ...leftoversOf(records)]
  for (const { unit: name, machine } of there) {
    const unit = records.units.get(name)
    if (unit !== undefined && factsOf(unit).isGlobal) continue
    counts.set(machine, (counts.get(machine) ?? 0) + 1)
  }
  return counts
}

export const unitsToMove = (records: ClusterRecords, machine: string): number =>
  movableOf(records).get(machine) ?? 0

/** By machine, what the units that are placed there reserve. */
function reservedOf({ placements, units }: ClusterRecords): ReadonlyMap<string, Capacity> {
  const sums = new Map<string, Capacity>()
  for (const { value } of placements) {
    const unit = units.get(value.unit)
    if (unit === undefined) continue
    const { needs } = factsOf(unit)
    const sum = sums.get(value.machine) ?? noNeeds
    sums.set(value.machine, {
      memoryBytes: sum.memoryBytes + needs.memoryBytes,
      nanoCpus: sum.nanoCpus + needs.nanoCpus,
    })
  }
  return sums
}

const sortedMachines = (records: ClusterRecords): MachineRecord[] =>
  [...records.machines.values()]
    .filter(({ status }) => status !== 'left')
    .toSorted((a, b) => compareText(a.name, b.name) || compareText(a.id, b.id))

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Of all units, or of one, and of what may still run of those that were destroyed; templates have no
 * rows, for they never run.
 */
export function unitRows(records: ClusterRecords, only?: string): UnitRow[] {
  const placed = Map.groupBy(records.placements, ({ value }) => value.unit)
  const leftovers = Map.groupBy(leftoversOf(records), ({ unit }) => unit)
  const ending = endingOf(records)
  const names = [...placed.keys(), ...leftovers.keys(), ...ending.keys()]
  const destroyed = [...new Set(names.filter((name) => !records.units.has(name)))]
    .toSorted(compareText)
    .map(
      (name) => ({ v: 1, name, file: '', hash: '', desired: 'inactive', submittedMs: 0 }) as const,
    )
  const rows: UnitRow[] = []
  for (const unit of [...records.units.values(), ...destroyed]) {
    if ((only !== undefined && unit.name !== only) || isTemplate(unit.name)) continue
    const here = placed.get(unit.name) ?? []
    const before = rows.length
    for (const placement of here) rows.push(placedRow(records, unit, placement))
    for (const state of leftovers.get(unit.name) ?? []) rows.push(stateRow(records, unit, state))
    if (unit.desired === 'inactive') {
      for (const machine of ending.get(unit.name) ?? []) {
        rows.push(endingRow(records, unit, machine))
      }
    }
    if (rows.length === before) {
      rows.push(nowhereRow(unit, records.crashes.get(unit.name), volumeText(records, unit)))
    }
  }
  return rows
}

export const isTemplate = (name: string): boolean => {
  const parsed = parseUnitName(name)
  return parsed.ok && parsed.name.kind === 'template'
}

export interface Scheduled {
  readonly state: DesiredState
  readonly machine?: string
}

/**
 * Where units that are not global are scheduled and how far they have come, as fleet tells it:
 * `inactive` until its machine's agent has it, `launched` from when that has begun to run it until
 * it has stopped it. What becomes of the container is another question: one that has failed, or
 * is done, was launched.
 */
export function scheduleOf(records: ClusterRecords): (unit: string) => Scheduled {
  const placed = new Map<string, Stored<PlacementRecord>>()
  for (const placement of records.placements) {
    const { unit } = placement.value
    const other = placed.get(unit)
    if (other === undefined || other.createRevision < placement.createRevision) {
      placed.set(unit, placement)
    }
  }
  return (unit) => scheduledAs(records, placed.get(unit))
}

function scheduledAs(
  { machines, states }: ClusterRecords,
  placement: Stored<PlacementRecord> | undefined,
): Scheduled {
  if (placement === undefined) return { state: 'inactive' }
  const { machine, desired, unit } = placement.value
  const seen = states.get(`${machine}/${unit}`)
  const isKnown = machines.get(machine)?.status === 'ready' && seen !== undefined
  if (!isKnown || seen.generation !== generationOf(placement)) return { state: 'inactive', machine }
  const runs = ['active', 'activating', 'deactivating'].includes(seen.active)
  const hasBegun = desired === 'launched' && (seen.active === 'failed' || seen.containerId !== '')
  return { state: runs || hasBegun ? 'launched' : 'loaded', machine }
}

/** What runs without a placement: it is being stopped, or its machine has just come back. */
function leftoversOf(records: ClusterRecords): UnitStateRecord[] {
  const placed = new Set(records.placements.map(({ value }) => `${value.machine}/${value.unit}`))
  const over = new Set(['inactive', 'failed', 'unknown'])
  return [...records.states].flatMap(([key, state]) =>
    placed.has(key) || over.has(state.active) || !isReady(records, state.machine) ? [] : [state],
  )
}

/** Machines that units were taken off, and that cannot say, or have not said yet, that they are gone. */
function endingOf(records: ClusterRecords): ReadonlyMap<string, readonly string[]> {
  const told = [...records.placements.map(({ value }) => value), ...leftoversOf(records)]
  const known = new Set(told.map(({ machine, unit }) => `${machine}/${unit}`))
  const unsure = [...records.states.values()].filter(
    ({ active, machine }) => active === 'unknown' && isReady(records, machine),
  )
  const ending = new Map<string, string[]>()
  for (const { machine, unit } of [...unsure, ...records.leaving]) {
    const status = records.machines.get(machine)?.status ?? 'left'
    if (status === 'left' || known.has(`${machine}/${unit}`)) continue
    known.add(`${machine}/${unit}`)
    ending.set(unit, [...(ending.get(unit) ?? []), machine])
  }
  return ending
}

function endingRow(records: ClusterRecords, unit: UnitRecord, machine: string): UnitRow {
  const { name, desired, hash } = unit
  const common = { name, desired, hash, ...placeOf(records, machine), restarts: 0 }
  if (!isReady(records, machine)) {
    return { ...common, active: 'unknown', sub: 'lost', message: lostMessage }
  }
  const state = records.states.get(`${machine}/${name}`)
  if (state !== undefined) return stateRow(records, unit, state)
  const message = 'its machine has not said that it is gone'
  return { ...common, active: 'deactivating', sub: 'waiting', message }
}

const lostMessage = 'the machine is lost; what runs there is not known'

const isReady = (records: ClusterRecords, machine: string): boolean =>
  records.machines.get(machine)?.status === 'ready'

/** The first of its volumes that is somewhere. */
function volumeOf(records: ClusterRecords, unit: UnitRecord): VolumeRecord | undefined {
  const { volumes: named } = factsOf(unit).needs
  return named && records.volumes.find(({ name }) => named.includes(name))
}

function volumeText(records: ClusterRecords, unit: UnitRecord): string {
  const volume = volumeOf(records, unit)
  if (volume === undefined) return ''
  const machine = records.machines.get(volume.machine)
  const status = machine?.status === 'ready' ? '' : `, which is ${machine?.status ?? 'gone'}`
  return ` (its volume ${volume.name} is on ${machine?.name ?? volume.machine.slice(0, 8)}${status})`
}

function placedRow(
  records: ClusterRecords,
  unit: UnitRecord,
  placement: Stored<PlacementRecord>,
): UnitRow {
  const { machine } = placement.value
  const place = placeOf(records, machine)
  const common = { name: unit.name, desired: unit.desired, hash: unit.hash, ...place }
  if (!isReady(records, machine)) {
    const volume = volumeOf(records, unit)
    const waits =
      volume === undefined ? '' : `; it waits for its volume ${volume.name}, which is there`
    const message = `${lostMessage}${waits}`
    return { ...common, active: 'unknown', sub: 'lost', restarts: 0, message }
  }
  const state = records.states.get(`${machine}/${unit.name}`)
  if (state === undefined || state.generation !== generationOf(placement)) {
    const message = 'its machine has not told of it yet'
    return { ...common, active: 'inactive', sub: 'waiting', restarts: 0, message }
  }
  return stateRow(records, unit, state)
}

function stateRow(records: ClusterRecords, unit: UnitRecord, state: UnitStateRecord): UnitRow {
  const { machine, load, active, sub, image, imageDigest, containerId, sinceMs } = state
  const { restarts, message, hash } = state
  return {
    name: unit.name,
    desired: unit.desired,
    ...placeOf(records, machine),
    load,
    active,
    sub,
    ...(image === '' ? {} : { image }),
    ...(imageDigest === '' ? {} : { imageDigest }),
    ...(containerId === '' ? {} : { containerId }),
    sinceMs,
    hash,
    restarts,
    message,
  }
}

function nowhereRow(
  { name, desired, hash }: UnitRecord,
  crash: CrashRecord | undefined,
  where: string,
): UnitRow {
  const isWanted = desired !== 'inactive'
  const nowhere = {
    name,
    desired,
    machine: null,
    machineName: null,
    machineAddress: null,
    hash,
    restarts: 0,
  }
  if (!isWanted) return { ...nowhere, active: 'inactive', sub: 'dead', message: '' }
  if (crash?.hash !== hash) {
    // Whether one may run it, or will in a moment, is a question to the scheduler, and not of a list.
    const message = `it has no machine now${where}: jangada why ${name}`
    return { ...nowhere, active: 'inactive', sub: 'unplaced', message }
  }
  if (crash.parked) {
    const message = `failed again and again (${crash.message}); jangada start ${name} tries again`
    return { ...nowhere, active: 'failed', sub: 'parked', message }
  }
  const message = `failed again and again (${crash.message}); tried again after a pause`
  return { ...nowhere, active: 'activating', sub: 'crash-pause', message }
}

function placeOf(
  records: ClusterRecords,
  machine: string,
): Pick<UnitRow, 'machine' | 'machineName' | 'machineAddress'> {
  const record = records.machines.get(machine)
  return { machine, machineName: record?.name ?? null, machineAddress: record?.address ?? null }
}

/** What everybody may see of a unit; a field is told only if it is named here. */
export function publicUnitRow(row: UnitRow): PublicUnitRow {
  const { name, desired, machine, machineName, machineAddress } = row
  const { active, sub, image, hash, restarts } = row
  return {
    name,
    desired,
    machine,
    machineName,
    machineAddress,
    active,
    sub,
    ...(image === undefined ? {} : { image }),
    hash,
    restarts,
  }
}

export const eventRow = ({
  atMs,
  kind,
  severity,
  message,
  code,
  machine,
  unit,
}: EventRecord): PublicEvent => ({ atMs, kind, severity, message, code, machine, unit })

/** How a unit failed is told to those who may read its output. */
export const publicEventRow = (event: PublicEvent): PublicEvent =>
  event.kind === 'unit.crash-loop' || event.kind === 'unit.parked'
    ? { ...event, message: `${event.unit} fails again and again` }
    : event

export const bootRow = ({ mac, steps }: BootTimelineEntry): BootRow => ({
  mac,
  steps: steps.map(({ step, atMs }) => {
    switch (step.kind) {
      case 'discover':
      case 'offer':
      case 'request':
      case 'ack':
        return { atMs, kind: step.kind, client: step.client }
      case 'file-begin':
        return { atMs, kind: step.kind, file: step.file, over: step.over }
      case 'file-end': {
        const { kind, file, over, complete } = step
        return { atMs, kind, file, over, complete }
      }
      default:
        return { atMs, kind: step.kind }
    }
  }),
})
