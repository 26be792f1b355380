/** What each unit waits for, so that a plan looks at those alone. */
import type { SchedulerUnit } from './types.ts'

const bit = { homeless: 1, globals: 2, several: 4, unwanted: 8, counted: 16 } as const
const sets = ['homeless', 'globals', 'several', 'unwanted', 'counted'] as const

export class Standing {
  /** Wanted units, not global, that are on no ready machine to stay. */
  readonly homeless = new Set<SchedulerUnit>()
  /** Those that have lost their place since somebody took them from here. */
  becameHomeless: SchedulerUnit[] = []
  /** Wanted. */
  readonly globals = new Set<SchedulerUnit>()
  /** Wanted, not global, and on more than one machine. */
  readonly several = new Set<SchedulerUnit>()
  /** Not wanted, and placed. */
  readonly unwanted = new Set<SchedulerUnit>()
  /** Placed, and of a kind of which so many must be available. */
  readonly counted = new Set<SchedulerUnit>()

  /**
   * Puts a unit among those that it belongs to now. `hasHome`: one of its places is there to stay. `before`: what
   * this told of the unit last; 0 at first, and once it is forgotten.
   */
  sort(
    unit: SchedulerUnit,
    { places, hasHome }: { readonly places: number; readonly hasHome: boolean },
    before: number,
  ): number {
    const { wanted, rules } = unit
    const isGlobal = rules.global
    const now =
      (wanted && !isGlobal && !hasHome ? bit.homeless : 0) |
      (wanted && isGlobal ? bit.globals : 0) |
      (wanted && !isGlobal && places > 1 ? bit.several : 0) |
      (!wanted && places > 0 ? bit.unwanted : 0) |
      (rules.minAvailable > 0 && places > 0 ? bit.counted : 0)
    if (now === before) return now
    if ((now & ~before & bit.homeless) !== 0) this.becameHomeless.push(unit)
    for (const set of sets) {
      if (((now ^ before) & bit[set]) === 0) continue
      if ((now & bit[set]) !== 0) this[set].add(unit)
      else this[set].delete(unit)
    }
    return now
  }

  forget(unit: SchedulerUnit): void {
    for (const set of sets) this[set].delete(unit)
  }
}
