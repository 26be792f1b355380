/** In each member: snapshot ≤ applied ≤ committed ≤ last, and nothing durable that is not there. */
import { holds, type Invariant } from './invariant.ts'

export function stateOrdering(): Invariant {
  const name = 'state ordering'
  return {
    name,
    log: ({ member, status }) => {
      const { firstIndex, applied, commit, durableIndex, lastIndex, isRestoring } = status
      const { role, config } = status
      const numbers = JSON.stringify({ firstIndex, applied, commit, durableIndex, lastIndex })
      // A snapshot that is being installed is ahead of what is applied: the log begins behind it,
      // and may already have grown, and be committed, further.
      const isOrdered =
        (firstIndex <= applied + 1 || isRestoring) &&
        firstIndex <= commit + 1 &&
        applied <= commit &&
        commit <= lastIndex &&
        durableIndex <= lastIndex
      holds(isOrdered, name, `member ${member.id}: ${numbers}`)
      const votes = config.voters.includes(member.id) || config.outgoing.includes(member.id)
      const isLearner = config.learners.includes(member.id)
      holds(!(votes && isLearner), name, `member ${member.id} is voter and learner`)
      holds(role !== 'leader' || !isLearner, name, `member ${member.id} leads and may not vote`)
    },
  }
}
