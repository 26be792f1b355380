/** Plans, cut into transactions. */
import type { UnitName } from '../../base/ids.ts'
import type { Decision } from '../../core/scheduler/types.ts'
import { maxOperationsPerTransaction } from '../../core/store/types.ts'
import type { Part } from './held.ts'

/**
 * What each decision takes of a transaction's `maxOperationsPerTransaction`: its operations, or half
 * of its compares, of which there may be twice as many. A place has two operations and three compares,
 * and one of each more for every volume of its unit.
 */
const costOf = { place: 2, unplace: 4, release: 4, move: 6 } as const

/**
 * A plan in transactions. One that takes a unit away and puts it back where it was (its peer has
 * just come there) does so in two: no transaction may both delete a key and put it.
 */
export function chunksOf(
  decisions: readonly Decision[],
  volumesOf: (unit: UnitName) => number = () => 0,
): Decision[][] {
  const chunks: Decision[][] = []
  let touched = new Set<string>()
  let cost = 0
  for (const decision of decisions) {
    const { unit, machine } = decision
    const places = [`${machine}/${unit}`]
    if (decision.kind === 'move') places.push(`${decision.from}/${unit}`)
    const last = chunks.at(-1)
    const own = costOf[decision.kind] + (decision.kind === 'unplace' ? 0 : volumesOf(unit))
    cost += own
    const isFull = last === undefined || cost > maxOperationsPerTransaction
    if (isFull || places.some((place) => touched.has(place))) {
      chunks.push([decision])
      touched = new Set(places)
      cost = own
    } else {
      last.push(decision)
      for (const place of places) touched.add(place)
    }
  }
  return chunks
}

/** As many as fit into a transaction each. */
export function partsInChunks(parts: readonly Part[]): Part[][] {
  const chunks: Part[][] = []
  let cost = Infinity
  for (const part of parts) {
    const own = Math.max(part.then.length, Math.ceil(part.compare.length / 2))
    cost += own
    if (cost > maxOperationsPerTransaction) {
      chunks.push([part])
      cost = own
    } else chunks.at(-1)?.push(part)
  }
  return chunks
}
