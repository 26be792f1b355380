/**
 * Units that must never run twice (`Fencing=stop`), while a plan is made: where a copy of each may
 * still run. Such a unit goes nowhere while there is one. A copy is surely dead when its machine has
 * said so, after it was told to stop; or when the machine is lost, or gone, and so long has passed
 * that its fencer has stopped it (`core/liveness/deadlines.ts`).
 */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { SchedulerPlacement, SchedulerUnit, Snapshot } from './types.ts'

/** A unit that is where no copy of it may stay any more leaves in one of these ways. */
export type Leave =
  | 'unplace'
  /** Its agent is told to stop it, and says when it has. */
  | 'release'
  /** It has been told, or nobody is there to be told. */
  | 'wait'

export class OldCopies {
  readonly #alive = new Map<UnitName, Set<MachineId>>()
  readonly #told = new Set<string>()
  readonly #ready: ReadonlySet<MachineId>

  constructor({ machines, placements }: Snapshot) {
    this.#ready = new Set(machines.flatMap(({ id, status }) => (status === 'ready' ? [id] : [])))
    for (const { unit, machine, fence } of placements) {
      if (fence === undefined || fence.isOver) continue
      if (fence.isLeaving) this.#told.add(`${machine}/${unit}`)
      const there = this.#alive.get(unit)
      if (there === undefined) this.#alive.set(unit, new Set([machine]))
      else there.add(machine)
    }
  }

  /** Where a copy of it may run; nowhere, of a unit that may run twice. */
  of(unit: UnitName): ReadonlySet<MachineId> {
    return this.#alive.get(unit) ?? nowhere
  }

  leave({ unit, machine }: Pick<SchedulerPlacement, 'unit' | 'machine'>): Leave {
    if (!this.of(unit).has(machine)) return 'unplace'
    return this.#told.has(`${machine}/${unit}`) || !this.#ready.has(machine) ? 'wait' : 'release'
  }
}

/** What counts for the rules: a unit that is being stopped for good has no place any more. */
export const withoutLeaving = (snapshot: Snapshot): Snapshot =>
  snapshot.placements.some(({ fence }) => fence?.isLeaving)
    ? { ...snapshot, placements: snapshot.placements.filter(({ fence }) => !fence?.isLeaving) }
    : snapshot

/** The machine because of whose copy the unit waits, if there is one: where it is not to stay. */
export function oldCopyOf(unit: SchedulerUnit, snapshot: Snapshot): MachineId | undefined {
  const ready = new Set(
    snapshot.machines.flatMap(({ id, status }) => (status === 'ready' ? [id] : [])),
  )
  return snapshot.placements.find(
    ({ unit: name, machine, fence }) =>
      name === unit.name &&
      fence !== undefined &&
      !fence.isOver &&
      (fence.isLeaving || !ready.has(machine)),
  )?.machine
}

const nowhere: ReadonlySet<MachineId> = new Set()
