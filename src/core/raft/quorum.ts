/**
 * Counting: which index a majority holds, and whether an election is won. A joint configuration
 * decides only where both of its majorities do.
 *
 * Source: Ongaro's thesis, 4.3 (joint consensus); tested against etcd-io/raft's quorum scripts.
 */
import { assert } from '../../base/assert.ts'
import type { MemberId } from '../../base/ids.ts'

export type VoteResult = 'won' | 'lost' | 'pending'

type Voters = readonly MemberId[]

/** The part of a configuration that decides: `outgoing` is empty unless it is joint. */
export interface Electorate {
  readonly voters: Voters
  readonly outgoing: Voters
}

/**
 * The greatest index that a majority of `voters` has reached; an unknown index counts as 0.
 * `Infinity` for no voters at all, so that the empty half of a joint quorum never holds back.
 */
export function majorityIndex(
  voters: Voters,
  indexOf: (id: MemberId) => number | undefined,
): number {
  if (voters.length === 0) return Infinity
  const majority = Math.floor(voters.length / 2) + 1
  let greatest = -1
  // Asked with every acknowledgement: for a handful of voters counting is cheaper than sorting.
  for (const id of voters) {
    const index = indexOf(id) ?? 0
    if (index > greatest && countReached(voters, indexOf, index) >= majority) greatest = index
  }
  assert(greatest >= 0, 'an index is not negative, and a majority has reached the least of them')
  return greatest
}

function countReached(
  voters: Voters,
  indexOf: (id: MemberId) => number | undefined,
  index: number,
): number {
  let count = 0
  for (const id of voters) if ((indexOf(id) ?? 0) >= index) count += 1
  return count
}

/** The greatest index that both majorities have reached. */
export function jointIndex(
  electorate: Electorate,
  indexOf: (id: MemberId) => number | undefined,
): number {
  return Math.min(
    majorityIndex(electorate.voters, indexOf),
    majorityIndex(electorate.outgoing, indexOf),
  )
}

/** Votes of those who are not in `voters` do not count. No voters at all: won. */
export function majorityVote(voters: Voters, votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  if (voters.length === 0) return 'won'
  let granted = 0
  let missing = 0
  for (const id of voters) {
    const vote = votes.get(id)
    if (vote === undefined) missing += 1
    else if (vote) granted += 1
  }
  const majority = Math.floor(voters.length / 2) + 1
  assert(granted + missing <= voters.length, 'each voter is counted once')
  if (granted >= majority) return 'won'
  return granted + missing >= majority ? 'pending' : 'lost'
}

/** Won when both majorities are won, lost as soon as one is lost. */
export function jointVote(
  electorate: Electorate,
  votes: ReadonlyMap<MemberId, boolean>,
): VoteResult {
  const incoming = majorityVote(electorate.voters, votes)
  const outgoing = majorityVote(electorate.outgoing, votes)
  if (incoming === outgoing) return incoming
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
}

/** A configuration is never changed, only replaced: asked for with every read, made once. */
const idsOf = new WeakMap<Electorate, readonly MemberId[]>()

/** Everyone whose vote or acknowledgement counts, ascending. */
export function electorateIds(electorate: Electorate): readonly MemberId[] {
  const known = idsOf.get(electorate)
  if (known !== undefined) return known
  const { voters, outgoing } = electorate
  const ids = [...new Set([...voters, ...outgoing])].toSorted((a, b) => a - b)
  idsOf.set(electorate, ids)
  return ids
}
