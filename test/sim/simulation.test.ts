import t from 'tap'
import { campaign } from './campaign.ts'
import { faultKinds } from './faults/kinds.ts'
import { runSeeds } from './run-seeds.ts'
import { runSeed, type SeedResult } from './simulation.ts'

const seed = 5
const untilMs = 6000

t.test('a seed stops where it is asked to, and tells how each machine stands', async (t) => {
  const result = await runSeed(seed, { untilMs })
  t.ok(result.isStopped)
  t.equal(result.failure, undefined)
  t.ok(result.simulatedMs >= untilMs && result.simulatedMs < untilMs + 100)
  const told = result.timeline.join('\n')
  for (let machine = 1; machine <= result.machines; machine += 1) t.match(told, `m${machine}: `)
  t.match(told, /StateLeader Term:\d+/)
})

t.test('a seed is the same in this process and in another', async (t) => {
  const told: SeedResult[] = []
  await runSeeds([seed, seed + 1], (result) => told.push(result), { workers: 2, untilMs })
  t.equal(told.length, 2)
  for (const result of told) {
    t.equal(result.hash, (await runSeed(result.seed, { untilMs })).hash)
    t.same(Object.keys(result.faults), faultKinds)
  }
})

t.test('the campaign never ran a seed twice on one commit', async (t) => {
  const ran = new Set<string>()
  for (const { range, commit, seeds } of campaign()) {
    const [first, last] = range
    t.equal(last - first + 1, seeds, `${first} to ${last}`)
    const own = Array.from({ length: seeds }, (_, at) => `${commit} ${first + at}`)
    t.same(
      own.filter((each) => ran.has(each)),
      [],
    )
    for (const each of own) ran.add(each)
  }
})
