/** Plans, cut into transactions. */
import type { Decision } from '../../core/scheduler/types.ts'
import { maxOperationsPerTransaction } from '../../core/store/types.ts'

/**
 * What each decision takes of a transaction's `maxOperationsPerTransaction`: its operations, or half
 * of its compares, of which there may be twice as many. A place has two operations, and three compares.
 */
const costOf = { place: 2, unplace: 4, release: 4, move: 6 } as const

/**
 * A plan in transactions. One that takes a unit away and puts it back where it was (its peer has
 * just come there) does so in two: no transaction may both delete a key and put it.
 */
export function chunksOf(decisions: readonly Decision[]): Decision[][] {
  const chunks: Decision[][] = []
  let touched = new Set<string>()
  let cost = 0
  for (const decision of decisions) {
    const { unit, machine } = decision
    const places = [`${machine}/${unit}`]
    if (decision.kind === 'move') places.push(`${decision.from}/${unit}`)
    const last = chunks.at(-1)
    cost += costOf[decision.kind]
    const isFull = last === undefined || cost > maxOperationsPerTransaction
    if (isFull || places.some((place) => touched.has(place))) {
      chunks.push([decision])
      touched = new Set(places)
      cost = costOf[decision.kind]
    } else {
      last.push(decision)
      for (const place of places) touched.add(place)
    }
  }
  return chunks
}
