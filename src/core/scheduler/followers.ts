/** Who follows whom by `MachineOf=`. */
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
