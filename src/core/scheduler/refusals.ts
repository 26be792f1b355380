/**
 * Who was refused where, kept from one plan to the next: a unit that no machine may run is looked at again
 * only on machines that have changed, and units that are refused alike are looked at once.
 *
 * Invariant: a look's verdicts are right for all machines that were not touched since its `at`.
 */
import type { Availability } from './availability.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import { preemptionFor, type Preemption } from './preemption.ts'
import type { Replacements } from './replacements.ts'
import { obstacleOf } from './rules.ts'
import { placesAskedFor } from './search.ts'
import type { ObstacleCounts, ObstacleKind, SchedulerUnit } from './types.ts'

/** Beyond this all are forgotten at once. A look takes one byte for each machine. */
const maxBytes = 64 * 2 ** 20

const kinds: readonly ObstacleKind[] = [
  'machineLost',
  'draining',
  'noFencer',
  'oldCopy',
  'otherMachine',
  'metadata',
  'peerElsewhere',
  'conflict',
  'replaced',
  'crashPause',
  'parked',
  'braked',
  'volume',
  'port',
  'memoryBytes',
  'nanoCpus',
]
const codes = new Map(kinds.map((kind, at) => [kind, at + 2]))
/** It may run there; it is no candidate. */
const possible = 0
const noCandidate = 1

interface Key {
  readonly text: string
  /** What it was made with. */
  readonly version: number
  readonly replacements: Replacements
}

class Look {
  readonly verdicts: Uint8Array
  /** By verdict. */
  readonly #counts: number[]
  at = -1
  /** By priority: when no machine had units that would yield. */
  readonly vainAt = new Map<number, number>()
  /** By priority: when, in which plan, it was to wait for units that may yield later. */
  readonly waitsAt = new Map<number, { readonly plan: Availability; readonly at: number }>()

  constructor(size: number) {
    this.verdicts = new Uint8Array(size).fill(noCandidate)
    this.#counts = Array.from({ length: kinds.length + 2 }, () => 0)
    this.#counts[noCandidate] = size
  }

  set(rank: number, verdict: number): void {
    const before = this.verdicts[rank] as number
    this.#counts[before] = (this.#counts[before] as number) - 1
    this.#counts[verdict] = (this.#counts[verdict] as number) + 1
    this.verdicts[rank] = verdict
  }

  get isVain(): boolean {
    return this.#counts[possible] === 0
  }

  counts(): ObstacleCounts {
    const told: Partial<Record<ObstacleKind, number>> = {}
    for (const [at, kind] of kinds.entries()) {
      const count = this.#counts[at + 2] as number
      if (count > 0) told[kind] = count
    }
    return told
  }
}

export class Refusals {
  readonly #fleet: FleetState
  readonly #looks = new Map<string, Look>()
  readonly #globals = new WeakMap<SchedulerUnit, Look>()
  readonly #keys = new WeakMap<SchedulerUnit, Key>()
  readonly #told = new WeakMap<Look, { readonly at: number; readonly counts: ObstacleCounts }>()
  #size = 0

  constructor(fleet: FleetState) {
    this.#fleet = fleet
  }

  /** It is known that no machine may run the unit; what is known is brought up to date first. */
  isKnownVain(unit: SchedulerUnit): boolean {
    if (this.#looks.size === 0 || placesAskedFor(unit, this.#fleet) !== undefined) return false
    const look = this.#lookOf(this.#keyOf(unit))
    if (look === undefined) return false
    this.#bringUp(look, unit)
    return look.isVain
  }

  /** How many machines refuse the unit, by what. None of them takes it. */
  countsFor(unit: SchedulerUnit): ObstacleCounts {
    const asked = placesAskedFor(unit, this.#fleet)
    if (asked !== undefined) return this.#countsOfAsked(unit, asked)
    const look = this.#lookFor(unit)
    const told = this.#told.get(look)
    if (told?.at === look.at) return told.counts
    const counts = look.counts()
    this.#told.set(look, { at: look.at, counts })
    return counts
  }

  /** All but `asked` refuse the unit for what it asks of them. */
  #countsOfAsked(unit: SchedulerUnit, asked: readonly MachineState[]): ObstacleCounts {
    const { table } = this.#fleet
    const counts: Partial<Record<ObstacleKind, number>> = {}
    const count = (kind: ObstacleKind | undefined, by: number): void => {
      if (kind !== undefined && by > 0) counts[kind] = (counts[kind] ?? 0) + by
    }
    for (const state of asked) count(this.#refusal(unit, state), 1)
    const others = table.readyCount() - asked.length
    if (unit.rules.machineId !== undefined) count('otherMachine', others)
    else {
      const eligible = table.attributes.eligible(unit.rules)
      const here = asked.filter((state) => eligible?.has(table.rankOf(state)) ?? true).length
      const allowed = table.readyCount(eligible) - here
      count('metadata', others - allowed)
      count('peerElsewhere', allowed)
    }
    return counts
  }

  /** Who would yield to the unit, and where; machines on which nobody would are not asked again. */
  preemption(unit: SchedulerUnit, available: Availability): Preemption | 'waits' | undefined {
    const asked = placesAskedFor(unit, this.#fleet)
    if (asked !== undefined) return preemptionFor(unit, this.#fleet, available, asked)
    const { table } = this.#fleet
    const { vainAt, waitsAt } = this.#lookFor(unit)
    const { priority } = unit.rules
    const waits = waitsAt.get(priority)
    if (waits?.plan === available && waits.at === table.now) return 'waits'
    const touched = table.touchedSince(vainAt.get(priority) ?? -1)
    const states = touched?.map((rank) => table.at(rank)) ?? table.ranked
    const found = preemptionFor(unit, this.#fleet, available, states.filter(isReady))
    if (found === undefined) vainAt.set(priority, table.now)
    if (found === 'waits') waitsAt.set(priority, { plan: available, at: table.now })
    return found
  }

  /**
   * Calls `visit` with each ready machine that has changed since the global unit was seen last, by rank;
   * it gives the obstacle there, or undefined.
   */
  visitForGlobal(
    unit: SchedulerUnit,
    visit: (state: MachineState) => ObstacleKind | undefined,
  ): void {
    const { table } = this.#fleet
    let look = this.#globals.get(unit)
    if (look?.verdicts.length !== table.size) look = new Look(table.size)
    this.#globals.set(unit, look)
    const touched = table.touchedSince(look.at)
    look.at = table.now
    for (const rank of touched ?? table.ranked.keys()) {
      const state = table.at(rank)
      look.set(rank, isReady(state) ? codeOf(visit(state)) : noCandidate)
    }
  }

  countsForGlobal(unit: SchedulerUnit): ObstacleCounts {
    return this.#globals.get(unit)?.counts() ?? {}
  }

  #lookFor(unit: SchedulerUnit): Look {
    const look = this.#makeLook(this.#keyOf(unit))
    this.#bringUp(look, unit)
    return look
  }

  #bringUp(look: Look, unit: SchedulerUnit): void {
    const { table } = this.#fleet
    const touched = table.touchedSince(look.at)
    if (touched?.length === 0) return
    for (const rank of touched ?? table.ranked.keys()) {
      const state = table.at(rank)
      look.set(rank, isReady(state) ? codeOf(this.#refusal(unit, state)) : noCandidate)
    }
    look.at = table.now
  }

  #refusal(unit: SchedulerUnit, state: MachineState): ObstacleKind | undefined {
    return state.units.has(unit.name) ? 'draining' : obstacleOf(unit, state, this.#fleet)?.kind
  }

  #lookOf(key: string): Look | undefined {
    const size = this.#fleet.table.size
    if (this.#size !== size) this.#looks.clear()
    this.#size = size
    return this.#looks.get(key)
  }

  #makeLook(key: string): Look {
    const known = this.#lookOf(key)
    if (known !== undefined) return known
    if ((this.#looks.size + 1) * this.#size > maxBytes) this.#looks.clear()
    const look = new Look(this.#size)
    this.#looks.set(key, look)
    return look
  }

  /** The same for units that are refused alike. */
  #keyOf(unit: SchedulerUnit): string {
    const { patterns, replacements } = this.#fleet
    const known = this.#keys.get(unit)
    let text = known?.text
    if (known?.version !== patterns.version || known.replacements !== replacements) {
      text = this.#makeKey(unit)
      this.#keys.set(unit, { text, version: patterns.version, replacements })
    }
    // What is its own is no obstacle to it, and one to others.
    const isAlone = this.#fleet.leftovers.has(unit.name) || this.#isOnReady(unit)
    return `${isAlone ? unit.name : ''} ${this.#volumesOf(unit)} ${text}`
  }

  /** Where its volumes are decides, and changes without its machines. */
  #volumesOf({ needs }: SchedulerUnit): string {
    if (needs.volumes === undefined) return ''
    return needs.volumes
      .map((name) => [...this.#fleet.volumes.holdersOf(name).keys()].toSorted().join())
      .join(';')
  }

  #makeKey({ name, rules, needs, crashes }: SchedulerUnit): string {
    const { patterns, replacements } = this.#fleet
    return JSON.stringify([
      [rules.machineId, rules.machineOf, rules.conflicts, rules.metadata],
      [needs, crashes?.hold, rules.fencing, rules.global],
      // Whom it replaces, and who would replace it, hangs on its name.
      rules.replaces.length > 0 || replacements.circles.has(name) ? name : '',
      patterns.matching(name).toSorted(),
    ])
  }

  /** It is on a machine that drains, say, and looks for another: that one refuses it alone. */
  #isOnReady({ name }: SchedulerUnit): boolean {
    for (const id of this.#fleet.placesOf(name)) {
      if (this.#fleet.machines.get(id)?.machine.status === 'ready') return true
    }
    return false
  }
}

const isReady = ({ machine }: MachineState): boolean => machine.status === 'ready'

const codeOf = (kind: ObstacleKind | undefined): number =>
  kind === undefined ? possible : (codes.get(kind) as number)
