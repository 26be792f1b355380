/**
 * The plan checker: says, without looking at how a plan was made, whether placements keep the
 * hard rules. It runs on every plan before it is proposed, in production too, there on all machines and
 * units that the plan touches. `replacements`: of all units, where the snapshot has only some.
 */
import { assertNever, present } from '../../base/assert.ts'
import { globMatches } from '../../base/glob.ts'
import { isIdOf, type MachineId, type UnitName } from '../../base/ids.ts'
import { oldCopiesIn, withoutLeaving } from './old-copies.ts'
import { Replacements } from './replacements.ts'
import type { Holder } from './room.ts'
import type {
  Decision,
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
  Snapshot,
} from './types.ts'

export interface Violation {
  readonly unit: UnitName
  readonly machine: MachineId
  readonly rule:
    | 'MachineID'
    | 'MachineMetadata'
    | 'MachineOf'
    | 'Conflicts'
    | 'Replaces'
    | 'Global'
    | 'alone'
    | 'once'
    | 'ready'
    | 'room'
    | 'volume'
  readonly detail: string
}

/** What `decisions`, or the cluster after them, would break. */
export const violationsOf = (
  snapshot: Snapshot,
  decisions: readonly Decision[],
  replacements = new Replacements(snapshot.units),
): Violation[] => [
  ...checkPlan(snapshot, decisions, replacements),
  ...checkPlacements(afterPlan(snapshot, decisions), replacements),
]

/** The rules as `placements` break them; what is on a lost machine is not held to them. */
export function checkPlacements(
  all: Snapshot,
  replacements = new Replacements(all.units),
): Violation[] {
  const snapshot = withoutLeaving(all)
  const machines = new Map(snapshot.machines.map((machine) => [machine.id, machine]))
  const units = new Map(snapshot.units.map((unit) => [unit.name, unit]))
  const byMachine = Map.groupBy(snapshot.placements, (placement) => placement.machine)
  const violations: Violation[] = []
  for (const [id, placements] of byMachine) {
    const machine = machines.get(id)
    if (machine === undefined || machine.status === 'lost') continue
    const here = placements.flatMap((placement) => units.get(placement.unit) ?? [])
    for (const unit of here) violations.push(...checkOne(unit, machine, here, replacements))
  }
  violations.push(...checkOnce(snapshot.placements, units, machines))
  return violations
}

/** The rules as each prefix of `decisions` would break them, and the decisions' own form. */
export function checkPlan(
  snapshot: Snapshot,
  decisions: readonly Decision[],
  replacements = new Replacements(snapshot.units),
): Violation[] {
  const machines = new Map(snapshot.machines.map((machine) => [machine.id, machine]))
  const units = new Map(snapshot.units.map((unit) => [unit.name, unit]))
  const byMachine = new Map<MachineId, Map<UnitName, SchedulerUnit>>()
  for (const { unit, machine } of withoutLeaving(snapshot).placements) {
    const known = units.get(unit)
    if (known === undefined) continue
    const here = byMachine.get(machine) ?? new Map<UnitName, SchedulerUnit>()
    byMachine.set(machine, here.set(unit, known))
  }
  const violations = checkAlone(snapshot, decisions)
  const leaving = new Leaving(snapshot, byMachine)
  const volumes = new VolumesSeen(snapshot)
  for (const decision of decisions) {
    if (decision.kind !== 'place') {
      const from = decision.kind === 'move' ? decision.from : decision.machine
      volumes.left(decision.unit, from)
      if (decision.kind !== 'move') leaving.note(decision, byMachine.get(from))
      if (decision.kind !== 'move' || !decision.stays) byMachine.get(from)?.delete(decision.unit)
    }
    if (decision.kind === 'unplace' || decision.kind === 'release') continue
    const unit = present(units.get(decision.unit), 'the unit of a decision')
    const machine = machines.get(decision.machine)
    const isOpen = machine?.status === 'ready' && machine.drain === 'none'
    if (!isOpen || !unit.wanted) {
      const detail =
        'a unit is placed only if wanted, and only on a ready machine that does not drain'
      violations.push({ unit: unit.name, machine: decision.machine, rule: 'ready', detail })
      continue
    }
    const here = byMachine.get(machine.id) ?? new Map<UnitName, SchedulerUnit>()
    byMachine.set(machine.id, here.set(unit.name, unit))
    const all = [...here.values()]
    violations.push(...checkOne(unit, machine, all, replacements))
    violations.push(...checkVolumes(unit, machine, volumes), ...checkFencer(unit, machine))
    violations.push(...checkRoom(unit, machine, [...all, ...leaving.beside(unit, machine.id)]))
  }
  return violations
}

/** The snapshot as it will be once `decisions` are committed. */
export function afterPlan(snapshot: Snapshot, decisions: readonly Decision[]): Snapshot {
  const placements = new Map<string, SchedulerPlacement>()
  const keyOf = (unit: string, machine: string): string => `${machine}/${unit}`
  for (const placement of snapshot.placements) {
    placements.set(keyOf(placement.unit, placement.machine), placement)
  }
  for (const decision of decisions) {
    const { unit, machine } = decision
    switch (decision.kind) {
      case 'unplace':
        placements.delete(keyOf(unit, machine))
        break
      case 'release': {
        const fence = { isLeaving: true, isOver: false }
        placements.set(keyOf(unit, machine), { unit, machine, fence })
        break
      }
      case 'move':
        if (decision.stays) {
          const from = decision.from
          placements.set(keyOf(unit, from), { unit, machine: from, moves: true })
        } else placements.delete(keyOf(unit, decision.from))
        placements.set(keyOf(unit, machine), { unit, machine })
        break
      case 'place':
        placements.set(keyOf(unit, machine), { unit, machine })
        break
      default:
        assertNever(decision)
    }
  }
  return {
    ...snapshot,
    placements: [...placements.values()],
    leaving: [...(snapshot.leaving ?? []), ...newlyLeaving(snapshot, decisions)].filter(
      ({ unit, machine }) => {
        const placed = placements.get(keyOf(unit, machine))
        return placed === undefined || placed.fence?.isLeaving === true
      },
    ),
  }
}

/** Nothing of what was taken off has ended yet. */
function newlyLeaving(
  { units, machines }: Snapshot,
  decisions: readonly Decision[],
): SchedulerLeaving[] {
  const ready = new Set(machines.flatMap(({ id, status }) => (status === 'ready' ? [id] : [])))
  const needsOf = new Map(units.map(({ name, needs }) => [name, needs]))
  return decisions.flatMap((decision) => {
    const { kind, unit, machine } = decision
    const needs = needsOf.get(unit)
    const isTaken = kind === 'unplace' || kind === 'release'
    const leaves = isTaken && needs !== undefined && ready.has(machine)
    return leaves ? [{ unit, machine, needs }] : []
  })
}

/** A unit that must never run twice goes nowhere, and is not forgotten, while a copy may run. */
function checkAlone(snapshot: Snapshot, decisions: readonly Decision[]): Violation[] {
  const copies = oldCopiesIn(snapshot)
  return decisions.flatMap((decision): Violation[] => {
    const { kind, unit } = decision
    if (kind === 'release') return []
    const machine = kind === 'move' ? decision.from : decision.machine
    const there = copies.of(unit)
    const isRefused = kind === 'unplace' ? there.has(machine) : there.size > 0
    if (!isRefused) return []
    return [{ unit, machine, rule: 'alone', detail: 'a copy of it may still run' }]
  })
}

function checkOne(
  unit: SchedulerUnit,
  machine: SchedulerMachine,
  here: readonly SchedulerUnit[],
  replacements: Replacements,
): Violation[] {
  const violations: Violation[] = []
  const found = (rule: Violation['rule'], detail: string): void => {
    violations.push({ unit: unit.name, machine: machine.id, rule, detail })
  }
  const { rules } = unit
  if (rules.machineId !== undefined && !isIdOf(rules.machineId, machine.id)) {
    found('MachineID', `it asks for ${rules.machineId}`)
  }
  for (const [key, wanted] of Object.entries(rules.metadata)) {
    if (!wanted.includes(machine.metadata[key] ?? '')) {
      found('MachineMetadata', `it asks for ${key}=${wanted.join(' or ')}`)
    }
  }
  for (const peer of rules.machineOf) {
    if (!here.some((other) => other.name === peer)) found('MachineOf', `${peer} is not there`)
  }
  for (const other of here) {
    if (other.name === unit.name) continue
    const pattern = rules.conflicts.find((glob) => globMatches(glob, other.name))
    if (pattern !== undefined) found('Conflicts', `${other.name} is there too (${pattern})`)
    const replaced = replacements.pattern(unit.name, other.name) !== undefined
    if (replaced) found('Replaces', `${other.name} is still there`)
  }
  return violations
}

/** Only newcomers are held to it: what was there stays, though there be less than it takes. */
function checkRoom(
  unit: SchedulerUnit,
  machine: SchedulerMachine,
  here: readonly Holder[],
): Violation[] {
  const found = (detail: string): Violation[] => [
    { unit: unit.name, machine: machine.id, rule: 'room', detail },
  ]
  for (const what of ['memoryBytes', 'nanoCpus'] as const) {
    const taken = here.reduce((sum, other) => sum + other.needs[what], 0)
    if (unit.needs[what] > 0 && taken > machine.capacity[what]) return found(`${what}: ${taken}`)
  }
  for (const { port, ip } of unit.needs.ports) {
    for (const other of here) {
      if (other.name === unit.name) continue
      const same = other.needs.ports.some(
        (one) => one.port === port && (one.ip === ip || [one.ip, ip].some(isEveryAddress)),
      )
      if (same) return found(`${other.name} has port ${port}`)
    }
  }
  return []
}

/** What was taken off machines and may be there still, and so holds its room. */
class Leaving {
  readonly #byMachine = new Map<MachineId, Map<UnitName, Holder>>()

  /** Who is placed there again holds its room as that. */
  constructor(
    { leaving = [] }: Snapshot,
    byMachine: ReadonlyMap<MachineId, ReadonlyMap<UnitName, SchedulerUnit>>,
  ) {
    for (const { unit, machine, needs } of leaving) {
      if (byMachine.get(machine)?.has(unit) !== true) this.#put(machine, { name: unit, needs })
    }
  }

  note(
    { unit, machine, reason }: Exclude<Decision, { kind: 'place' | 'move' }>,
    here: ReadonlyMap<UnitName, Holder> | undefined,
  ): void {
    const makesWay =
      reason.kind === 'preempted' ||
      (reason.kind === 'obstacle' && reason.obstacle.kind === 'replaced')
    const holder = here?.get(unit)
    if (holder !== undefined && !makesWay) this.#put(machine, holder)
  }

  /** All but what the unit itself has left there, or has there again. */
  beside({ name }: SchedulerUnit, machine: MachineId): Holder[] {
    this.#byMachine.get(machine)?.delete(name)
    return [...(this.#byMachine.get(machine)?.values() ?? [])]
  }

  #put(machine: MachineId, holder: Holder): void {
    const there = this.#byMachine.get(machine) ?? new Map<UnitName, Holder>()
    this.#byMachine.set(machine, there.set(holder.name, holder))
  }
}

/** Where volumes are: where records have them, and where units are that use them. */
class VolumesSeen {
  readonly #made = new Map<string, Set<MachineId>>()
  /** By `machine/unit`: of units under a new file, which make theirs there if they stay. */
  readonly #coming = new Map<string, SchedulerUnit>()

  constructor(snapshot: Snapshot) {
    const { machines, units, volumes = [] } = snapshot
    for (const { name, machine } of volumes) this.make(name, machine)
    const known = new Map(units.map((unit) => [unit.name, unit]))
    const ready = new Set(machines.flatMap(({ id, status }) => (status === 'ready' ? [id] : [])))
    for (const { unit: name, machine, renewedFrom } of withoutLeaving(snapshot).placements) {
      const unit = known.get(name)
      if (unit === undefined || !ready.has(machine)) continue
      if (renewedFrom !== undefined) this.#coming.set(`${machine}/${name}`, unit)
      else for (const volume of unit.needs.volumes ?? []) this.make(volume, machine)
    }
  }

  make(name: string, machine: MachineId): void {
    this.#made.set(name, (this.#made.get(name) ?? new Set()).add(machine))
  }

  left(unit: UnitName, machine: MachineId): void {
    this.#coming.delete(`${machine}/${unit}`)
  }

  /** Whether it would be made a second time there. */
  isElsewhere(name: string, machine: MachineId): boolean {
    const coming = this.#coming.entries().filter(([, { needs }]) => needs.volumes?.includes(name))
    const where = new Set<string>(this.#made.get(name))
    for (const [key] of coming) where.add(key.slice(0, key.indexOf('/')))
    return where.size > 0 && !where.has(machine)
  }
}

/** No unit that may be anywhere makes a volume that is somewhere else. Notes what it makes. */
function checkVolumes(
  { name: unit, needs, rules }: SchedulerUnit,
  { id: machine }: SchedulerMachine,
  volumes: VolumesSeen,
): Violation[] {
  const violations: Violation[] = []
  for (const name of needs.volumes ?? []) {
    if (!rules.global && volumes.isElsewhere(name, machine)) {
      violations.push({ unit, machine, rule: 'volume', detail: `${name} is elsewhere` })
    }
    volumes.make(name, machine)
  }
  return violations
}

function checkFencer({ name, rules }: SchedulerUnit, machine: SchedulerMachine): Violation[] {
  if (rules.fencing !== 'stop' || machine.cannotFence !== true) return []
  const detail = 'nothing on that machine would stop it in time'
  return [{ unit: name, machine: machine.id, rule: 'alone', detail }]
}

const isEveryAddress = (ip: string): boolean => ['', '0.0.0.0', '::'].includes(ip)

function checkOnce(
  placements: readonly SchedulerPlacement[],
  units: ReadonlyMap<UnitName, SchedulerUnit>,
  machines: ReadonlyMap<MachineId, SchedulerMachine>,
): Violation[] {
  const violations: Violation[] = []
  for (const [name, places] of Map.groupBy(placements, (placement) => placement.unit)) {
    const unit = units.get(name)
    if (unit === undefined || unit.rules.global) continue
    // Beside its replacement it may stay where it is to leave.
    const ready = places.filter(({ machine: id, moves }) => {
      const machine = machines.get(id)
      return machine?.status === 'ready' && machine.drain === 'none' && moves !== true
    })
    for (const { machine } of ready.slice(1)) {
      violations.push({ unit: name, machine, rule: 'once', detail: 'it is on two machines' })
    }
  }
  return violations
}
