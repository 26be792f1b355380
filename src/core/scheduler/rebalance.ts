/**
 * Which units would be placed better elsewhere than where they came to be: machines come, and those
 * that come back are empty. Nothing moves for it by itself; people ask what would, and say so.
 */
import type { MachineId, UnitName } from '../../base/ids.ts'
import type { Capacity } from '../../base/room.ts'
import { describeChoice, worthFor } from './choice.ts'
import { fleetInParts } from './fleet-of.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import { withoutLeaving } from './old-copies.ts'
import { obstacleOf, victimsOf } from './rules.ts'
import type { SchedulerUnit, Snapshot } from './types.ts'

export interface Move {
  readonly unit: UnitName
  readonly from: MachineId
  readonly to: MachineId
  /** What speaks for the new place, against the old one. */
  readonly why: string
}

/** Machines looked at for units, together: who asks for more asks again after the moves. */
const looksMax = 2_000_000

/**
 * One after the other, each better by what counts in a choice, at most `max`. Who runs on every machine, follows or
 * is followed, must never run twice, or could only take another's place stays where he is.
 * Yields where it may be left for a while.
 */
export function* rebalanceInParts(snapshot: Snapshot, max: number): Generator<undefined, Move[]> {
  const fleet = yield* fleetInParts(withoutLeaving(snapshot))
  const moves: Move[] = []
  let looksLeft = looksMax
  for (const unit of movable(snapshot, fleet)) {
    if (moves.length >= max || looksLeft <= 0) break
    looksLeft -= fleet.candidates.length
    const move = betterPlace(unit, fleet)
    if (move !== undefined) moves.push(move)
    yield undefined
  }
  return moves
}

/** Those on the fullest machines first, and there the ones of least priority. */
function movable(snapshot: Snapshot, fleet: FleetState): SchedulerUnit[] {
  const peers = new Set(snapshot.units.flatMap(({ rules }) => rules.machineOf))
  const fullness = ({ name }: SchedulerUnit): number => {
    const [place] = fleet.placesOf(name)
    return place === undefined ? 0 : (fleet.machines.get(place)?.units.size ?? 0)
  }
  const stays = ({ name, wanted, rules }: SchedulerUnit): boolean =>
    !wanted ||
    rules.global ||
    rules.fencing === 'stop' ||
    rules.machineOf.length > 0 ||
    peers.has(name)
  return snapshot.units
    .filter((unit) => !stays(unit) && fleet.placesOf(unit.name).size === 1)
    .map((unit) => ({ unit, fullness: fullness(unit) }))
    .toSorted(
      (a, b) =>
        b.fullness - a.fullness ||
        a.unit.rules.priority - b.unit.rules.priority ||
        (a.unit.name < b.unit.name ? -1 : 1),
    )
    .map(({ unit }) => unit)
}

/** Leaves the unit in `fleet` where it is to be. */
function betterPlace(unit: SchedulerUnit, fleet: FleetState): Move | undefined {
  const [from] = fleet.placesOf(unit.name)
  const here = from === undefined ? undefined : fleet.machines.get(from)
  if (from === undefined || here?.machine.status !== 'ready' || here.machine.drain !== 'none') {
    return undefined
  }
  fleet.remove(unit, from, { cedes: true })
  const worth = worthFor(unit, fleet)
  const packs = unit.rules.strategy === 'pack'
  let best: MachineState = here
  for (const state of fleet.candidates) {
    if (state === here || worth(state, best) >= 0) continue
    if (packs && packedOn(state) <= packedOn(here)) continue
    const isFree = obstacleOf(unit, state, fleet) === undefined
    if (isFree && victimsOf(unit, state, fleet).length === 0) best = state
  }
  const to = best.machine.id
  const why = `${describeChoice(unit, fleet, best)}; where it is: ${describeChoice(unit, fleet, here)}`
  fleet.place(unit, to)
  return to === from ? undefined : { unit: unit.name, from, to, why }
}

/**
 * What units that pack reserve on the machine, or how many there are. Who packs follows them alone: those that spread
 * would run away from him, and he after them, for ever.
 */
function packedOn({ units, machine: { capacity } }: MachineState): number {
  const packed = [...units.values()].filter(({ rules }) => rules.strategy === 'pack')
  const share = (what: keyof Capacity): number =>
    packed.reduce((sum, { needs }) => sum + needs[what], 0) / Math.max(1, capacity[what])
  return (
    Math.max(share('memoryBytes'), share('nanoCpus')) || packed.length / Number.MAX_SAFE_INTEGER
  )
}
