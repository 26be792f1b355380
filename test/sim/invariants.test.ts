/** Each invariant of the consensus, held against a history that breaks it. */
import t from 'tap'
import type { Member } from '../../src/node/member/member.ts'
import { committedEntries } from './invariants/committed-entries.ts'
import type { Invariant } from './invariants/invariant.ts'
import { leases } from './invariants/leases.ts'
import { logMatching } from './invariants/log-matching.ts'
import { memberIds } from './invariants/member-ids.ts'
import { stateOrdering } from './invariants/state-ordering.ts'
import type { Holders } from './holders.ts'
import type { SimulatedMachine } from './machine.ts'
import { RaftLogs } from './raft-logs.ts'
import type { World } from './world.ts'

/** A member as invariants see it: its log as terms from index 1 on, and how far it is. */
interface Story {
  readonly id: number
  readonly terms: readonly number[]
  readonly commit?: number
  readonly applied?: number
  readonly content?: string
  readonly role?: string
}

function memberOf({ id, terms, commit = 0, applied = 0, content = '', role }: Story): Member {
  const lastIndex = terms.length
  const entries = terms.map((term, at) => ({
    kind: 'normal',
    index: at + 1,
    term,
    data: Buffer.from(`${content}${at}`),
  }))
  const config = { voters: [1, 2, 3], outgoing: [], learners: [] }
  const numbers = { firstIndex: 1, lastIndex, durableIndex: lastIndex, commit, applied }
  const member = {
    id,
    status: () => ({ ...numbers, role: role ?? 'follower', config }),
    raft: { entriesFrom: (from: number) => entries.slice(from - 1) },
  }
  return member as unknown as Member
}

/** What the invariant says of these members, looked at in order; undefined when all is well. */
function verdict(make: (world: World) => Invariant, stories: readonly Story[]): string | undefined {
  const logs = new RaftLogs()
  const world = { logs, machineOf: () => undefined } as unknown as World
  const invariant = make(world)
  try {
    for (const story of stories) invariant.log?.(logs.look(memberOf(story)))
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

t.test('log matching: one content, and one term before it, for an index and term', async (t) => {
  const first = { id: 1, terms: [1, 1, 2] }
  t.equal(verdict(logMatching, [first, { id: 2, terms: [1, 1, 2] }]), undefined)
  t.equal(verdict(logMatching, [first, { id: 2, terms: [1, 1, 1] }]), undefined, 'not yet agreed')
  const replaced = { id: 2, terms: [1, 1, 2] }
  t.equal(verdict(logMatching, [first, { id: 2, terms: [1, 1, 1] }, replaced]), undefined)
  t.match(verdict(logMatching, [first, { ...first, id: 2, content: 'x' }]), 'another content')
  const gap = [
    { id: 1, terms: [1, 1, 3] },
    { id: 2, terms: [1, 2, 3] },
  ]
  t.match(verdict(logMatching, gap), 'has term 2 and others 1')
})

t.test('committed entries: nobody commits another at the same index', async (t) => {
  const leader = { id: 1, terms: [1, 1], commit: 2 }
  t.equal(verdict(committedEntries, [leader, { id: 2, terms: [1, 2], commit: 1 }]), undefined)
  const other = { id: 2, terms: [1, 2], commit: 2 }
  t.match(verdict(committedEntries, [leader, other]), 'committed entry 2 of term 2, not of 1')
})

t.test('state ordering: nothing is applied before it is committed', async (t) => {
  t.equal(verdict(stateOrdering, [{ id: 1, terms: [1, 1], commit: 2, applied: 1 }]), undefined)
  t.match(verdict(stateOrdering, [{ id: 1, terms: [1, 1], commit: 1, applied: 2 }]), 'member 1')
  t.match(verdict(stateOrdering, [{ id: 1, terms: [1], commit: 2, applied: 1 }]), 'member 1')
})

t.test('member ids: none moves to another machine, and none comes back', async (t) => {
  const run = (runs: readonly (readonly [string, number])[]) => (): void => {
    const invariant = memberIds()
    for (const [name, id] of runs) {
      const store = { member: { id } } as unknown as Parameters<NonNullable<Invariant['member']>>[1]
      invariant.member?.({ name } as SimulatedMachine, store)
    }
  }
  t.doesNotThrow(
    run([
      ['m1', 1],
      ['m2', 5],
      ['m1', 9],
    ]),
  )
  t.throws(
    run([
      ['m1', 1],
      ['m2', 1],
    ]),
    { message: /which is m1's/ },
  )
  t.throws(
    run([
      ['m1', 1],
      ['m1', 9],
      ['m1', 1],
    ]),
    { message: /again, after 9/ },
  )
})

t.test('leases: a key stays as long as its lease was kept alive for', async (t) => {
  const gone = (afterMs: number) => (): void => {
    const held = { ttlMs: 2000, keptSinceMs: 1000 }
    const holders = { held: () => held, abandoned: new Set() } as unknown as Holders
    const world = { time: { nowMs: 1000 + afterMs } } as unknown as World
    const event = { kind: 'delete', key: 'lease/1' }
    const batch = { revision: 7, events: [event] }
    leases(world, holders).revision?.(
      batch as unknown as Parameters<NonNullable<Invariant['revision']>>[0],
    )
  }
  t.doesNotThrow(gone(2000))
  t.throws(gone(1900), { message: /lease of 2000 ms/ })
})
