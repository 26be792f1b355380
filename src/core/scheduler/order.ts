/** Whose turn it is: the highest priority first, then by name. */
import { kindOf } from './kinds.ts'
import type { SchedulerUnit } from './types.ts'

export const byTurn = (a: SchedulerUnit, b: SchedulerUnit): number =>
  b.rules.priority - a.rules.priority || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/**
 * The same as a sort `byTurn`, in less of its time: no name comes between two instances of a template, as no
 * `TEMPLATE@` is the beginning of another name than theirs.
 */
function inTurn(units: Iterable<SchedulerUnit>): SchedulerUnit[] {
  const byPriority = [...Map.groupBy(units, ({ rules }) => rules.priority)]
  return byPriority.toSorted(([a], [b]) => b - a).flatMap(([, group]) => byName(group))
}

function byName(units: readonly SchedulerUnit[]): SchedulerUnit[] {
  const kinds = Map.groupBy(units, ({ name }) => kindOf(name) ?? name)
  const kin = (kind: string): SchedulerUnit[] => kinds.get(kind) ?? []
  return [...kinds.keys()]
    .toSorted()
    .flatMap((kind) => kin(kind).toSorted((a, b) => (a.name < b.name ? -1 : 1)))
}

/** Units in turn; who joins while others are served comes in where it belongs, if its turn is yet to come. */
export class WaitingLine {
  readonly #units: readonly SchedulerUnit[]
  #at = 0
  /** Joined later, the last one first. */
  #joined: SchedulerUnit[] = []

  constructor(units: Iterable<SchedulerUnit>) {
    this.#units = inTurn(units)
  }

  next(): SchedulerUnit | undefined {
    const first = this.#units[this.#at]
    const joined = this.#joined.at(-1)
    if (joined !== undefined && (first === undefined || byTurn(joined, first) < 0)) {
      return this.#joined.pop()
    }
    this.#at += 1
    return first
  }

  join(units: readonly SchedulerUnit[], served: SchedulerUnit): void {
    const later = units.filter((unit) => byTurn(unit, served) > 0)
    if (later.length === 0) return
    this.#joined = [...this.#joined, ...later].toSorted((a, b) => byTurn(b, a))
  }
}
