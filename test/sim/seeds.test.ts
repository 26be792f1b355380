import t from 'tap'
import { knownSeeds } from './known-seeds.ts'
import { runSeeds } from './run-seeds.ts'
import { tellFailure, Totals } from './tell.ts'

const seedCount = 300
/** The smallest machine that this must run well on has two cores. */
const workers = 2
/** On the slowest machine that this must run on; a seed takes two seconds on one core. */
t.setTimeout(1_800_000)

t.test('whole clusters under faults keep every promise, and recover', async (t) => {
  const seeds = Array.from({ length: seedCount }, (_, at) => at + 1)
  const totals = new Totals()
  await runSeeds(
    [...knownSeeds(), ...seeds],
    (result) => {
      totals.add(result)
      if (result.failure !== undefined) tellFailure(result, (line) => t.comment(line))
      t.equal(result.failure, undefined, `seed ${result.seed}`)
    },
    { workers },
  )
  for (const line of totals.lines()) t.comment(line)
  t.same(totals.missing, [], 'every kind of fault happened')
})
