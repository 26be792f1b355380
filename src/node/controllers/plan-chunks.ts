/** Plans, cut into transactions. */
import type { UnitName } from '../../base/ids.ts'
import type { Needs } from '../../base/room.ts'
import type { Decision } from '../../core/scheduler/types.ts'
import { maxOperationsPerTransaction, type Operation } from '../../core/store/types.ts'
import type { Part } from './held.ts'

/**
 * What each decision takes of a transaction's `maxOperationsPerTransaction`: its operations, or half
 * of its compares, of which there may be twice as many. A place has two operations and three compares,
 * and one of each more for every volume of its unit.
 */
const costOf = { place: 2, unplace: 4, release: 4, move: 6 } as const
/** Of the values in one transaction, well below `maxTransactionBytes`: keys and events come on top. */
const valueBytesMax = 2 ** 20
/** A record without its ports, and each of its ports, at most. */
const recordBytes = 1024
const portBytes = 80

/** What of a unit the sizes of its records hang on. */
type NeedsOf = (unit: UnitName) => Pick<Needs, 'ports' | 'volumes'> | undefined

/**
 * A plan in transactions. One that takes a unit away and puts it back where it was (its peer has
 * just come there) does so in two: no transaction may both delete a key and put it.
 */
export function chunksOf(
  decisions: readonly Decision[],
  needsOf: NeedsOf = () => undefined,
): Decision[][] {
  const chunks: Decision[][] = []
  let touched = new Set<string>()
  let cost = 0
  let bytes = 0
  for (const decision of decisions) {
    const { unit, machine } = decision
    const places = [`${machine}/${unit}`]
    if (decision.kind === 'move') places.push(`${decision.from}/${unit}`)
    const last = chunks.at(-1)
    const needs = needsOf(unit)
    const volumes = needs?.volumes?.length ?? 0
    const own = costOf[decision.kind] + (decision.kind === 'unplace' ? 0 : volumes)
    // Where it goes, and where something of it is left.
    const ownBytes = 2 * (recordBytes + portBytes * (needs?.ports.length ?? 0))
    cost += own
    bytes += ownBytes
    const isFull = last === undefined || cost > maxOperationsPerTransaction || bytes > valueBytesMax
    if (isFull || places.some((place) => touched.has(place))) {
      chunks.push([decision])
      touched = new Set(places)
      cost = own
      bytes = ownBytes
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
  let bytes = 0
  for (const part of parts) {
    const own = Math.max(part.then.length, Math.ceil(part.compare.length / 2))
    const ownBytes = part.then.reduce((sum, each) => sum + bytesOf(each), 0)
    cost += own
    bytes += ownBytes
    if (cost > maxOperationsPerTransaction || bytes > valueBytesMax) {
      chunks.push([part])
      cost = own
      bytes = ownBytes
    } else chunks.at(-1)?.push(part)
  }
  return chunks
}

const bytesOf = (operation: Operation): number =>
  operation.kind === 'put' ? operation.value.length : 0
