/** At most one member leads in a term (Ongaro's thesis, figure 3.2). */
import { holds, type Invariant } from './invariant.ts'

export function electionSafety(): Invariant {
  const name = 'election safety'
  const leaders = new Map<number, number>()
  return {
    name,
    member: (_machine, { member }) => {
      const { role, term } = member.leadership
      if (role !== 'leader') return
      const other = leaders.get(term) ?? member.id
      leaders.set(term, member.id)
      holds(other === member.id, name, `members ${other} and ${member.id} both lead term ${term}`)
    },
  }
}
