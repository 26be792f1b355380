/**
 * A planner that is kept: it is told what changes, and its plans cost what has changed. They are those of
 * `plan` from the same cluster.
 */
import type { MachineId, UnitName } from '../../base/ids.ts'
import { FleetState } from './fleet-state.ts'
import { type Circumstances, planFrom } from './plan.ts'
import { isShortOfRoom } from './preemption.ts'
import { Refusals } from './refusals.ts'
import type { Replacements } from './replacements.ts'
import type {
  ObstacleCounts,
  Plan,
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
  SchedulerVolume,
} from './types.ts'

type Place = Pick<SchedulerPlacement, 'unit' | 'machine'>

/** What is new or has changed, and what is no more. */
export interface Changes {
  readonly machines?: Iterable<SchedulerMachine>
  readonly machinesGone?: Iterable<MachineId>
  readonly units?: Iterable<SchedulerUnit>
  readonly unitsGone?: Iterable<UnitName>
  readonly placements?: Iterable<SchedulerPlacement>
  readonly placementsGone?: Iterable<Place>
  readonly leaving?: Iterable<SchedulerLeaving>
  readonly leavingGone?: Iterable<Place>
  readonly volumes?: Iterable<SchedulerVolume>
  readonly volumesGone?: Iterable<SchedulerVolume>
}

export class Scheduler {
  readonly #fleet = new FleetState()
  readonly #refusals = new Refusals(this.#fleet)
  readonly #unplaced = new Map<UnitName, ObstacleCounts>()

  /** Telling what is known already changes nothing. */
  update(changes: Changes): void {
    for (const unit of changes.unitsGone ?? []) this.#fleet.removeUnit(unit)
    for (const machine of changes.machinesGone ?? []) this.#fleet.removeMachine(machine)
    for (const unit of changes.units ?? []) this.#fleet.setUnit(unit)
    for (const machine of changes.machines ?? []) this.#fleet.setMachine(machine)
    for (const placement of changes.placementsGone ?? []) this.#fleet.removePlacement(placement)
    for (const placement of changes.placements ?? []) this.#fleet.setPlacement(placement)
    for (const gone of changes.leavingGone ?? []) this.#fleet.removeLeaving(gone)
    for (const leaving of changes.leaving ?? []) this.#fleet.setLeaving(leaving)
    for (const gone of changes.volumesGone ?? []) this.#fleet.volumes.unsay(gone)
    for (const volume of changes.volumes ?? []) this.#fleet.volumes.say(volume)
  }

  /**
   * Takes for granted that all of the plan is carried out: before the next one the caller
   * says how all placements that it decides on are, and what of them is leaving. `unplaced` is valid until then.
   */
  plan(circumstances: Circumstances): Plan {
    return planFrom(
      { fleet: this.#fleet, refusals: this.#refusals, unplaced: this.#unplaced },
      circumstances,
    )
  }

  /**
   * Of which it makes a difference to the next plan whether they do their work, or have stopped: placements of
   * units that are on several machines, but for global ones; those of units that were told to stop before
   * they go elsewhere; and while something moves, or looks for room, those of kinds of which so many must be available.
   */
  asked(): readonly Place[] {
    const { standing, stopping, isAnyMoving } = this.#fleet
    const mayYield =
      isAnyMoving || standing.homeless.values().some((unit) => this.#mayLackRoom(unit))
    const units = new Set([...standing.several, ...(mayYield ? standing.counted : [])])
    const places = [...units].flatMap(({ name }) =>
      [...this.#fleet.placesOf(name)].map((machine) => ({ unit: name, machine })),
    )
    return [...places, ...stopping.values()]
  }

  /** Unless the last plan has found that room would not help it. */
  #mayLackRoom({ name }: SchedulerUnit): boolean {
    const counts = this.#unplaced.get(name)
    return counts === undefined || isShortOfRoom(counts)
  }

  /** Something is under way of whose end the store does not tell. */
  get isRestless(): boolean {
    const { standing, stopping, movers, machines } = this.#fleet
    const isHere = (id: MachineId): boolean => machines.get(id)?.machine.status === 'ready'
    const several = standing.several.values()
    const isAwaited = several.some(({ name }) => [...this.placesOf(name)].some(isHere))
    return stopping.size > 0 || movers.size > 0 || isAwaited
  }

  /** Who takes whose place, among all units. */
  get replacements(): Replacements {
    return this.#fleet.replacements
  }

  placesOf(unit: UnitName): ReadonlySet<MachineId> {
    return this.#fleet.placesOf(unit)
  }
}
