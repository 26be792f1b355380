/**
 * A whole group in memory, under a network that loses, repeats, delays and reorders, and disks
 * that forget. One seed is one history. Safety is checked at every step; see `Safety`.
 */
import { assert } from '../../../src/base/assert.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import type { Index, MemberId, Term } from '../../../src/base/ids.ts'
import type { SeededRandom } from '../../../src/base/random.ts'
import { configOfVoters } from '../../../src/core/raft/config.ts'
import { emptyRestoredState } from '../../../src/core/raft/raft.ts'
import type {
  Effect,
  Entry,
  Message,
  ProposalId,
  RaftConfig,
  ReadId,
  RestoredState,
} from '../../../src/core/raft/types.ts'
import { TestMember, type Watcher } from './member.ts'
import { raftOptions } from './options.ts'
import { Safety } from './safety.ts'

interface Packet {
  readonly message: Message
  readonly machine: readonly string[] | undefined
}

/** Members that begin with a common first entry, so that their configuration is in a snapshot. */
export const founded = (...voters: readonly number[]): RestoredState => ({
  hardState: { term: 1 as Term, vote: 0 as MemberId, commit: 1 as Index },
  snapshot: {
    index: 1 as Index,
    term: 1 as Term,
    config: configOfVoters(...voters.map((id) => id as MemberId)),
  },
  entries: [],
})

export class Cluster implements Watcher {
  readonly members = new Map<MemberId, TestMember>()
  readonly safety = new Safety()
  readonly random: SeededRandom
  readonly #options: Partial<RaftConfig>
  nowMs = 0
  wire: Packet[] = []
  /** Pairs `from>to` that lose everything. */
  cut = new Set<string>()
  #nextProposal = 1
  #nextRead = 1
  /** What every effect of every member looked like, newest last, for tests that ask. */
  readonly seen: { readonly id: MemberId; readonly effect: Effect }[] = []

  constructor(random: SeededRandom, size: number, options: Partial<RaftConfig> = {}) {
    this.random = random
    this.#options = options
    const ids = Array.from({ length: size }, (_, i) => i + 1)
    for (const id of ids) this.add(id as MemberId, founded(...ids))
  }

  add(id: MemberId, restored = emptyRestoredState): TestMember {
    assert(!this.members.has(id), 'an id is used once')
    const options = raftOptions({ ...this.#options, id })
    const member = new TestMember(options, restored, this.random.fork(), this, this.nowMs)
    this.members.set(id, member)
    return member
  }

  member(id: number): TestMember {
    const member = this.members.get(id as MemberId)
    assert(member !== undefined, `member ${id} exists`)
    return member
  }

  get ids(): readonly MemberId[] {
    return [...this.members.keys()]
  }

  /** The leader of the latest term, if any. */
  get leader(): TestMember | undefined {
    return [...this.members.values()]
      .filter((member) => member.raft.status().role === 'leader')
      .toSorted((a, b) => b.raft.status().term - a.raft.status().term)[0]
  }

  // ---- Watcher

  sent(from: TestMember, message: Message, machine?: readonly string[]): void {
    assert(message.from === from.id, 'nobody speaks for others')
    this.wire.push({ message, machine })
  }

  applied(member: TestMember, entry: Entry): void {
    this.safety.applied(member, entry)
  }

  effect(member: TestMember, effect: Effect): void {
    this.seen.push({ id: member.id, effect })
    if (this.seen.length > 10_000) this.seen.splice(0, 5_000)
    if (effect.kind === 'roleChanged') this.safety.roleChanged(member, effect)
    if (effect.kind === 'readReady') this.safety.readReady(effect.readId, effect.index)
    if (effect.kind === 'append') this.safety.logChanged(member)
  }

  // ---- the world

  /** Takes packet `at` off the wire and hands it over, unless the way is cut. */
  deliver(at: number): void {
    const [packet] = this.wire.splice(at, 1)
    if (packet !== undefined) this.hand(packet)
  }

  /** Loses packet `at`. Whoever sends a snapshot finds out; others do not. */
  lose(at: number): void {
    const [packet] = this.wire.splice(at, 1)
    if (packet?.message.kind !== 'snapshot') return
    const { from, to } = packet.message
    this.members.get(from)?.step({ kind: 'snapshotSent', to, ok: false })
  }

  hand({ message, machine }: Packet): void {
    const to = this.members.get(message.to)
    const arrives = to !== undefined && !this.cut.has(`${message.from}>${message.to}`)
    if (arrives) {
      if (message.kind === 'snapshot') to.arrived.set(message.snapshot.index, machine ?? [])
      to.step({ kind: 'receive', message, nowMs: this.nowMs })
    }
    if (message.kind !== 'snapshot') return
    const from = this.members.get(message.from)
    from?.step({ kind: 'snapshotSent', to: message.to, ok: arrives })
  }

  tick(byMs: number): void {
    this.nowMs += byMs
    for (const member of this.members.values()) member.step({ kind: 'tick', nowMs: this.nowMs })
  }

  /** Delivers and writes everything, in order, until nothing moves. Time stands still. */
  settle(): void {
    for (let moved = true; moved;) {
      moved = false
      for (const member of this.members.values()) {
        member.run()
        moved ||= member.unwritten.length > 0
        member.syncAll()
      }
      moved ||= this.wire.length > 0
      for (const packet of this.wire.splice(0)) this.hand(packet)
    }
  }

  /** As a quiet network runs, for `ms`. */
  runFor(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs;) {
      this.tick(10)
      this.settle()
    }
  }

  /** Runs quietly until somebody leads and has committed in its term; throws after 10 s. */
  elect(): TestMember {
    for (let waited = 0; waited < 10_000; waited += 10) {
      this.tick(10)
      this.settle()
      const { leader } = this
      if (leader !== undefined && leader.raft.appliedRef()?.term === leader.raft.status().term) {
        return leader
      }
    }
    throw new Error('nobody was elected in 10 s of quiet')
  }

  /** Member `id` stands for election now, and the network is quiet. */
  campaign(id: number): TestMember {
    const member = this.member(id)
    member.step({ kind: 'campaign' })
    this.settle()
    return member
  }

  propose(member: TestMember, ...words: readonly string[]): readonly ProposalId[] {
    const proposals = words.map((word) => {
      const proposalId = this.#nextProposal as ProposalId
      this.#nextProposal += 1
      return { proposalId, data: utf8(word) }
    })
    member.step({ kind: 'propose', proposals })
    return proposals.map(({ proposalId }) => proposalId)
  }

  nextProposalId(): ProposalId {
    this.#nextProposal += 1
    return (this.#nextProposal - 1) as ProposalId
  }

  read(member: TestMember): ReadId {
    const readId = this.#nextRead as ReadId
    this.#nextRead += 1
    this.safety.readBegan(readId)
    member.step({ kind: 'readIndex', readId })
    return readId
  }

  /** Cuts every way between `group` and the rest. */
  partition(...group: readonly number[]): void {
    this.cut.clear()
    for (const a of this.ids) {
      for (const b of this.ids) {
        if (group.includes(a) !== group.includes(b)) this.cut.add(`${a}>${b}`)
      }
    }
  }

  heal(): void {
    this.cut.clear()
  }
}
