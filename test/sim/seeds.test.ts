import t from 'tap'
import { faultKinds } from './faults.ts'
import { knownSeeds } from './known-seeds.ts'
import { runSeed } from './simulation.ts'
import { tellFailure, Totals } from './tell.ts'

const seedCount = 50
/** On the slowest machine that this must run on; a seed takes two seconds on one core. */
t.setTimeout(900_000)

t.test('whole clusters under faults keep every promise, and recover', async (t) => {
  const seeds = Array.from({ length: seedCount }, (_, at) => at + 1)
  const totals = new Totals()
  for (const seed of new Set([...knownSeeds(), ...seeds])) {
    const result = await runSeed(seed)
    totals.add(result)
    if (result.failure !== undefined) tellFailure(result, (line) => t.comment(line))
    t.equal(result.failure, undefined, `seed ${seed}`)
  }
  for (const line of totals.lines()) t.comment(line)
  for (const kind of faultKinds) t.ok(totals.count(kind) > 0, `there was a ${kind}`)
})
