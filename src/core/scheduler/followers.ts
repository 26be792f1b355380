/** Who follows whom by `MachineOf=`, and what hangs on that. */
import type { UnitName } from '../../base/ids.ts'
import type { SchedulerUnit } from './types.ts'

export class Followers {
  readonly #byPeer = new Map<string, Set<UnitName>>()

  of(peer: string): Iterable<UnitName> {
    return this.#byPeer.get(peer) ?? []
  }

  /** Of one unit, which was `before`; undefined: it was not there, or is not any more. */
  changed(before: SchedulerUnit | undefined, after: SchedulerUnit | undefined): void {
    for (const peer of before?.rules.machineOf ?? []) {
      const followers = this.#byPeer.get(peer)
      followers?.delete((before as SchedulerUnit).name)
      if (followers?.size === 0) this.#byPeer.delete(peer)
    }
    for (const peer of after?.rules.machineOf ?? []) {
      const followers = this.#byPeer.get(peer) ?? new Set<UnitName>()
      this.#byPeer.set(peer, followers.add((after as SchedulerUnit).name))
    }
  }
}

/**
 * Whether others may yield now who did not before, or the other way: a unit stands as high as who follows it and whom it
 * has replaced, of whom the unit may be one.
 */
export function changesRanks(
  before: SchedulerUnit | undefined,
  after: SchedulerUnit | undefined,
  isVictim: boolean,
): boolean {
  const lendsRank = (unit: SchedulerUnit | undefined): boolean =>
    unit?.wanted === true && (isVictim || unit.rules.machineOf.length > 0)
  if (!lendsRank(before) && !lendsRank(after)) return false
  return before?.wanted !== after?.wanted || before?.rules !== after?.rules
}
