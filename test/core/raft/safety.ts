/**
 * What must hold in every history, checked as it happens: election safety, log matching, leader
 * completeness, state-machine safety (Ongaro's thesis, figure 3.2), and linearizable reads.
 */
import { assert } from '../../../src/base/assert.ts'
import type { Index, MemberId, Term } from '../../../src/base/ids.ts'
import type { Effect, Entry, ReadId } from '../../../src/core/raft/types.ts'
import { wordOf, type TestMember } from './member.ts'

interface Place {
  readonly term: Term
  readonly word: string
}

export class Safety {
  readonly #leaders = new Map<Term, MemberId>()
  /** The first application of each index, by anyone: from then on the only one there may be. */
  readonly committed = new Map<Index, Place>()
  /** Every (index, term) ever seen in a log: what it held, and the term before it. */
  readonly #logged = new Map<string, { readonly word: string; readonly before: Term | undefined }>()
  /** What had been applied somewhere when the read began: it must see at least that. */
  readonly #reads = new Map<ReadId, Index>()
  lastCommitted = 0 as Index
  readsAnswered = 0

  roleChanged(member: TestMember, { role, term }: Extract<Effect, { kind: 'roleChanged' }>): void {
    if (role !== 'leader') return
    const other = this.#leaders.get(term)
    assert(other === undefined || other === member.id, `one leader in term ${term}`)
    if (other === undefined) this.#leaderIsComplete(member)
    this.#leaders.set(term, member.id)
  }

  #leaderIsComplete(member: TestMember): void {
    const held = new Map(member.memory.map((entry) => [entry.index, entry] as const))
    const { snapshot } = member.disk
    for (const [index, place] of this.committed) {
      if (index <= snapshot.index) continue
      const entry = held.get(index)
      assert(entry?.term === place.term, `the leader holds committed entry ${index}`)
    }
  }

  applied(_: TestMember, entry: Entry): void {
    const place = this.committed.get(entry.index)
    const word = wordOf(entry)
    assert(
      place === undefined || (place.term === entry.term && place.word === word),
      `index ${entry.index} is applied as the same entry everywhere`,
    )
    this.committed.set(entry.index, { term: entry.term, word })
    this.lastCommitted = Math.max(this.lastCommitted, entry.index) as Index
  }

  /** Two logs with the same (index, term) agree there and before. */
  logChanged(member: TestMember): void {
    const { memory } = member
    for (let i = Math.max(0, memory.length - 32); i < memory.length; i += 1) {
      const entry = memory[i] as Entry
      const before = memory[i - 1]?.term
      const key = `${entry.index}/${entry.term}`
      const logged = this.#logged.get(key)
      const word = wordOf(entry)
      assert(logged === undefined || logged.word === word, `logs agree on entry ${key}`)
      assert(
        logged?.before === undefined || before === undefined || logged.before === before,
        `logs agree before entry ${key}`,
      )
      this.#logged.set(key, { word, before: before ?? logged?.before })
    }
  }

  readBegan(readId: ReadId): void {
    this.#reads.set(readId, this.lastCommitted)
  }

  readReady(readId: ReadId, index: Index): void {
    const atLeast = this.#reads.get(readId)
    assert(atLeast !== undefined, 'only what was asked is answered, and once')
    this.#reads.delete(readId)
    assert(index >= atLeast, `read ${readId} sees what was applied before it began`)
    this.readsAnswered += 1
  }
}
