/** A cluster as a snapshot tells it, in parts between which the caller may see to others. */
import { assert } from '../../base/assert.ts'
import { FleetState } from './fleet-state.ts'
import type { Snapshot } from './types.ts'

/** Told in one go. */
const partMax = 64

/**
 * Yields after every part; `snapshot` is not to change meanwhile. Units come before machines, and both before
 * what is placed: nothing has to wait for what it lacks.
 */
export function* fleetInParts(snapshot: Snapshot): Generator<undefined, FleetState> {
  const fleet = new FleetState()
  yield* inParts(snapshot.units, (unit) => fleet.setUnit(unit))
  yield* inParts(snapshot.machines, (machine) => {
    assert(!fleet.machines.has(machine.id), 'a machine is listed once')
    fleet.setMachine(machine)
  })
  yield* inParts(snapshot.placements, (placement) => fleet.setPlacement(placement))
  yield* inParts(snapshot.volumes ?? [], (volume) => fleet.volumes.say(volume))
  yield* inParts(snapshot.leaving ?? [], (leaving) => fleet.setLeaving(leaving))
  return fleet
}

function* inParts<T>(items: Iterable<T>, tell: (item: T) => void): Generator<undefined> {
  let told = 0
  for (const item of items) {
    tell(item)
    told += 1
    if (told % partMax === 0) yield undefined
  }
}
