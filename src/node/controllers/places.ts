/** Places: a unit on a machine, as a key. */
import type { Decision } from '../../core/scheduler/types.ts'

/** A place as a key. */
export const placeOf = ({
  machine,
  unit,
}: {
  readonly machine: string
  readonly unit: string
}): string => `${machine}/${unit}`

/** The places that a decision changes. */
export const placesOf = (decision: Decision): string[] =>
  decision.kind === 'move'
    ? [placeOf(decision), placeOf({ machine: decision.from, unit: decision.unit })]
    : [placeOf(decision)]

export function partsOf(place: string): [machine: string, unit: string] {
  const at = place.indexOf('/')
  return [place.slice(0, at), place.slice(at + 1)]
}
