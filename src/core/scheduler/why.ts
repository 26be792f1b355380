/** Why a unit is where it is, or nowhere: one answer a machine, for `jangada why`. */
import { isIdOf, type MachineId, type UnitName } from '../../base/ids.ts'
import { choiceFor, describeChoice } from './choice.ts'
import { fleetInParts } from './fleet-of.ts'
import type { FleetState } from './fleet-state.ts'
import { oldCopyOf, withoutLeaving } from './old-copies.ts'
import { describeObstacle, obstacleOf, victimsOf } from './rules.ts'
import type { Obstacle, SchedulerUnit, Snapshot } from './types.ts'

export interface MachineReason {
  readonly machine: MachineId
  readonly verdict: 'placed' | 'possible' | 'refused'
  readonly obstacle: Obstacle | undefined
  /** One line for people. */
  readonly text: string
  /** Units placed there: fewest are tried first. */
  readonly units: number
}

/** Knows one cluster, and says of any of its units why it is where it is. */
export class Explainer {
  readonly #snapshot: Snapshot
  readonly #fleet: FleetState

  private constructor(snapshot: Snapshot, fleet: FleetState) {
    this.#snapshot = snapshot
    this.#fleet = fleet
  }

  /** Yields again and again, so that the caller may see to others; `snapshot` is not to change meanwhile. */
  static *inParts(snapshot: Snapshot): Generator<undefined, Explainer> {
    return new Explainer(snapshot, yield* fleetInParts(withoutLeaving(snapshot)))
  }

  /**
   * Machines in the order in which the scheduler would try them; lost ones last. `nameOf`: what people call a
   * machine.
   */
  why(unit: SchedulerUnit, nameOf?: (machine: MachineId) => string): MachineReason[] {
    return whyIn(this.#fleet, oldCopyOf(unit, this.#snapshot), unit, nameOf)
  }
}

/** `where`: the machine because of whose copy it waits. */
function whyIn(
  state: FleetState,
  where: MachineId | undefined,
  unit: SchedulerUnit,
  nameOf?: (machine: MachineId) => string,
): MachineReason[] {
  const describe = (obstacle: Obstacle): string =>
    unknownIn(obstacle, state) ??
    ringIn(unit, obstacle, state) ??
    describeObstacle(obstacle, nameOf)
  const old = where === undefined ? undefined : ({ kind: 'oldCopy', where } as const)
  const lost = [...state.machines.values()].filter(({ machine }) => machine.status === 'lost')
  const ordered = [...state.candidates.toSorted(choiceFor(unit, state)), ...lost]
  const best = ordered.find((each) => obstacleOf(unit, each, state) === undefined)
  return ordered.map((each) => {
    const units = each.units.size
    const machine = each.machine.id
    const obstacle = obstacleOf(unit, each, state) ?? (each.units.has(unit.name) ? undefined : old)
    if (each.units.has(unit.name)) {
      const text =
        obstacle === undefined ? 'it is placed here' : `placed here, though ${describe(obstacle)}`
      return { machine, verdict: 'placed', obstacle, text, units }
    }
    if (obstacle !== undefined) {
      return { machine, verdict: 'refused', obstacle, text: describe(obstacle), units }
    }
    const victims = victimsOf(unit, each, state).map(({ victim }) => victim.name)
    const replacing = victims.length === 0 ? '' : `, replacing ${victims.join(' and ')}`
    const rank = each === best ? 'the first choice' : 'it may run here'
    return {
      machine,
      verdict: 'possible',
      obstacle,
      text: `${rank}${replacing}: ${describeChoice(unit, state, each)}`,
      units,
    }
  })
}

/** What the unit asks for, where it may well be a slip of the pen: there is no such thing. */
function unknownIn(obstacle: Obstacle, state: FleetState): string | undefined {
  if (obstacle.kind === 'peerElsewhere' && state.unit(obstacle.peer as UnitName) === undefined) {
    return `MachineOf: there is no unit ${obstacle.peer}`
  }
  const isThere = (asked: string): boolean =>
    [...state.machines.keys()].some((id) => isIdOf(asked, id))
  if (obstacle.kind === 'otherMachine' && !isThere(obstacle.wanted)) {
    return `MachineID asks for ${obstacle.wanted}, which is no machine of this cluster`
  }
  return undefined
}

/** A unit that follows one which follows it, over others maybe: none of them can be the first. */
function ringIn(unit: SchedulerUnit, obstacle: Obstacle, state: FleetState): string | undefined {
  if (obstacle.kind !== 'peerElsewhere' || obstacle.where !== undefined) return undefined
  const before = new Map<string, string>()
  const names: string[] = [unit.name]
  for (const name of names) {
    for (const peer of state.unit(name as UnitName)?.rules.machineOf ?? []) {
      if (peer === unit.name) return ringText([...wayTo(name, before), unit.name])
      if (before.has(peer)) continue
      before.set(peer, name)
      names.push(peer)
    }
  }
  return undefined
}

/** The names that led from the first to `name`. */
function wayTo(name: string, before: ReadonlyMap<string, string>): string[] {
  const way = [name]
  for (let at = before.get(name); at !== undefined; at = before.get(at)) way.unshift(at)
  return way
}

const ringText = (way: readonly string[]): string =>
  `MachineOf goes round in a ring, of which none can be placed first: ${way.join(' follows ')}`
