/** What each unit waits for, so that a plan looks at those alone. */
import type { SchedulerUnit } from './types.ts'

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

  /** Puts a unit among those that it belongs to now. `hasHome`: one of its places is there to stay. */
  sort(unit: SchedulerUnit, { places, hasHome }: { places: number; hasHome: boolean }): void {
    const { wanted, rules } = unit
    const isHomeless = wanted && !rules.global && !hasHome
    if (isHomeless && !this.homeless.has(unit)) this.becameHomeless.push(unit)
    belongs(this.homeless, unit, isHomeless)
    belongs(this.globals, unit, wanted && rules.global)
    belongs(this.several, unit, wanted && !rules.global && places > 1)
    belongs(this.unwanted, unit, !wanted && places > 0)
    belongs(this.counted, unit, rules.minAvailable > 0 && places > 0)
  }

  forget(unit: SchedulerUnit): void {
    const { homeless, globals, several, unwanted, counted } = this
    for (const set of [homeless, globals, several, unwanted, counted]) set.delete(unit)
  }
}

function belongs(set: Set<SchedulerUnit>, unit: SchedulerUnit, does: boolean): void {
  if (does) set.add(unit)
  else set.delete(unit)
}
