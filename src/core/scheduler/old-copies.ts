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
  readonly #isReady: (machine: MachineId) => boolean

  constructor(isReady: (machine: MachineId) => boolean) {
    this.#isReady = isReady
  }

  set(placement: SchedulerPlacement): void {
    this.delete(placement)
    const { unit, machine, fence } = placement
    if (fence === undefined || fence.isOver) return
    if (fence.isLeaving) this.#told.add(`${machine}/${unit}`)
    const there = this.#alive.get(unit)
    if (there === undefined) this.#alive.set(unit, new Set([machine]))
    else there.add(machine)
  }

  delete({ unit, machine }: Pick<SchedulerPlacement, 'unit' | 'machine'>): void {
    this.#told.delete(`${machine}/${unit}`)
    const there = this.#alive.get(unit)
    if (there === undefined) return
    there.delete(machine)
    if (there.size === 0) this.#alive.delete(unit)
  }

  /** Where a copy of it may run; nowhere, of a unit that may run twice. */
  of(unit: UnitName): ReadonlySet<MachineId> {
    return this.#alive.get(unit) ?? nowhere
  }

  leave({ unit, machine }: Pick<SchedulerPlacement, 'unit' | 'machine'>): Leave {
    if (!this.of(unit).has(machine)) return 'unplace'
    return this.#told.has(`${machine}/${unit}`) || !this.#isReady(machine) ? 'wait' : 'release'
  }
}

export function oldCopiesIn({ machines, placements }: Snapshot): OldCopies {
  const ready = new Set(machines.flatMap(({ id, status }) => (status === 'ready' ? [id] : [])))
  const copies = new OldCopies((id) => ready.has(id))
  for (const placement of placements) copies.set(placement)
  return copies
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
