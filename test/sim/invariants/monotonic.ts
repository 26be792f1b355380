/** While a process lives, its member's term, applied index and revision never go back. */
import type { Member } from '../../../src/node/member/member.ts'
import { holds, type Invariant } from './invariant.ts'

interface Seen {
  readonly term: number
  readonly appliedIndex: number
  readonly revision: number
}

export function monotonic(): Invariant {
  const name = 'monotonic'
  const seen = new WeakMap<Member, Seen>()
  return {
    name,
    member: (machine, { member }) => {
      const { appliedIndex, revision } = member.store
      const now: Seen = { term: member.leadership.term, appliedIndex, revision }
      const before = seen.get(member) ?? now
      for (const what of ['term', 'appliedIndex', 'revision'] as const) {
        const text = `${what} of ${machine.name} went from ${before[what]} to ${now[what]}`
        holds(now[what] >= before[what], name, text)
      }
      seen.set(member, now)
    },
  }
}
