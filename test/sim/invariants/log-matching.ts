/**
 * Two logs that have an entry of the same index and term are the same up to it (Ongaro's thesis,
 * figure 3.2): each such entry has one content, and one term before it.
 */
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

interface Known {
  readonly hash: string
  /** Undefined as long as nobody who has the entry had the one before it in memory. */
  termBefore: number | undefined
}

export function logMatching({ logs }: World): Invariant {
  const name = 'log matching'
  const known = new Map<string, Known>()
  return {
    name,
    log: ({ member, fresh }) => {
      for (const { index, term, hash } of fresh) {
        const place = `${index} of term ${term}`
        const termBefore = logs.termOf(member.id, index - 1)
        const entry = known.get(place) ?? { hash, termBefore }
        known.set(place, entry)
        entry.termBefore ??= termBefore
        holds(entry.hash === hash, name, `entry ${place} has another content at ${member.id}`)
        const isSame = termBefore === undefined || termBefore === entry.termBefore
        const text = `before entry ${place}, member ${member.id} has term ${termBefore} and others ${entry.termBefore}`
        holds(isSame, name, text)
      }
    },
  }
}
