import fc from 'fast-check'
import t from 'tap'
import { compareCosts, costOf } from '../../../src/core/voters/standing.ts'
import { majorityOf, standbysMax, type VotersView } from '../../../src/core/voters/view.ts'
import { machine, settle, viewOf } from './fixture.ts'

const anyMachine = fc.record({
  status: fc.constantFrom('ready', 'ready', 'ready', 'lost' as const),
  eligible: fc.boolean(),
  durable: fc.boolean(),
  domain: fc.constantFrom('a', 'b', 'c'),
  wish: fc.constantFrom('auto', 'auto', 'auto', 'voter', 'client' as const),
  isWiped: fc.boolean(),
})

/** Some of 1 to 9 machines vote, a majority of those lives, and the first leads. */
const anyView: fc.Arbitrary<VotersView> = fc
  .record({
    machines: fc.array(anyMachine, { minLength: 1, maxLength: 9 }),
    target: fc.constantFrom(1, 3, 5, 7),
    voting: fc.constantFrom(1, 3, 5, 7),
    nowMs: fc.constantFrom(0, 60_000, 700_000),
  })
  .map(({ machines, target, voting, nowMs }) => {
    const count = Math.min(voting, machines.length)
    const all = machines.map(({ isWiped, ...extra }, at) =>
      machine(at + 1, {
        ...extra,
        ...(at === 0 ? { status: 'ready' as const } : {}),
        ...(at < count ? { runs: isWiped && at > 0 ? 0 : at + 1 } : {}),
      }),
    )
    const voters = Array.from({ length: count }, (_, at) => at + 1)
    return viewOf(voters, all, { target, nowMs })
  })
  .filter((view) => living(view, view.voters) >= majorityOf(view.voters.length))

function living(view: VotersView, ids: VotersView['voters']): number {
  return ids.filter((id) => {
    const on = machineOf(view, id)
    return id === view.self || (on?.status === 'ready' && (on.runs === undefined || on.runs === id))
  }).length
}

const machineOf = (view: VotersView, id: VotersView['self']) => {
  const on = view.members.find((each) => each.id === id)?.machine
  return view.machines.find((each) => each.id === on)
}

t.test('every step leaves a majority that lives, and it ends where it should', (t) => {
  fc.assert(
    fc.property(anyView, (from) => {
      const settled = settle(from, (before, step, after) => {
        if (step.kind !== 'change') return
        for (const id of step.add) {
          if (!before.learners.includes(id)) throw new Error('a voter was no learner first')
        }
        const out = [...step.demote, ...step.remove]
        if (out.includes(before.self)) throw new Error('the leader votes itself out')
        if (
          living(after, after.voters) < majorityOf(after.voters.length) &&
          out.length + step.add.length > 0
        ) {
          const wasVoterChange = step.add.length > 0 || out.some((id) => before.voters.includes(id))
          if (wasVoterChange) throw new Error('too few live to decide')
        }
      })
      if (settled.voters.length > Math.max(settled.target, from.voters.length)) {
        throw new Error('more voters than asked for')
      }
      if (living(settled, settled.learners) > standbysMax) throw new Error('too many standbys')
      if (settled.voters.length % 2 === 0 && from.voters.length % 2 === 1) {
        throw new Error('an even number of voters')
      }
    }),
    { numRuns: 1000 },
  )
  t.end()
})

t.test('where all machines live, no single exchange would be better', (t) => {
  fc.assert(
    fc.property(anyView, (from) => {
      const alive = from.machines.map((each) => ({
        ...each,
        status: 'ready' as const,
        runs: undefined,
      }))
      const settled = settle({ ...from, machines: alive })
      const voting = settled.voters.map((id) => machineOf(settled, id)!)
      const now = costOf(voting, alive)
      const others = alive.filter(
        (each) =>
          each.eligible && each.wish !== 'client' && !voting.some(({ id }) => id === each.id),
      )
      for (const out of voting) {
        for (const other of others) {
          const cost = costOf([...voting.filter((each) => each !== out), other], alive)
          if (compareCosts(cost, now) < 0) throw new Error(`${other.name} for ${out.name}`)
        }
      }
      const may = alive.filter(
        (each) =>
          each.wish !== 'client' && (each.eligible || voting.some(({ id }) => id === each.id)),
      ).length
      const largest = Math.min(settled.target, may)
      const want = Math.max(1, largest % 2 === 1 ? largest : largest - 1)
      if (settled.voters.length !== want && may > 0) {
        throw new Error(`${settled.voters.length} voters, not ${want}`)
      }
    }),
    { numRuns: 500 },
  )
  t.end()
})
