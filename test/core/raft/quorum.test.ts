/** Counting, held against the definition itself: try every index, ask every majority. */
import t from 'tap'
import type { MemberId } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { electorateIds, jointIndex, jointVote } from '../../../src/core/raft/quorum.ts'

const id = (value: number): MemberId => value as MemberId

const holds = (voters: readonly MemberId[], has: (voter: MemberId) => boolean): boolean =>
  voters.length === 0 || voters.filter(has).length * 2 > voters.length

t.test('what is committed is held by a majority of each half, and nothing later is', async (t) => {
  const random = new SeededRandom(1)
  const all = [1, 2, 3, 4, 5, 6, 7].map(id)
  for (let round = 0; round < 2_000; round += 1) {
    const voters = random.shuffle(all).slice(0, random.integer(1, 5))
    const outgoing = random.shuffle(all).slice(0, random.integer(0, 5))
    const electorate = { voters, outgoing }
    const held = new Map(electorateIds(electorate).map((each) => [each, random.integer(0, 9)]))
    const isHeld = (index: number): boolean =>
      [voters, outgoing].every((half) => holds(half, (voter) => (held.get(voter) ?? 0) >= index))
    const index = jointIndex(electorate, (each) => held.get(each))
    if (!isHeld(index) || isHeld(index + 1)) {
      t.fail(JSON.stringify({ electorate, held: [...held], index }))
      return
    }
  }
  t.pass('2,000 electorates')
})

t.test('an election is won, lost or open exactly as its missing votes allow', async (t) => {
  const random = new SeededRandom(2)
  const all = [1, 2, 3, 4, 5].map(id)
  for (let round = 0; round < 2_000; round += 1) {
    const voters = random.shuffle(all).slice(0, random.integer(1, 4))
    const outgoing = random.shuffle(all).slice(0, random.integer(0, 4))
    const votes = new Map(
      all.filter(() => random.chance(0.6)).map((each) => [each, random.chance(0.6)] as const),
    )
    const wins = (missing: boolean): boolean =>
      [voters, outgoing].every((half) => holds(half, (voter) => votes.get(voter) ?? missing))
    const expected = wins(false) ? 'won' : wins(true) ? 'pending' : 'lost'
    const actual = jointVote({ voters, outgoing }, votes)
    if (actual !== expected) {
      t.fail(JSON.stringify({ voters, outgoing, votes: [...votes], expected, actual }))
      return
    }
  }
  t.pass('2,000 elections')
})
