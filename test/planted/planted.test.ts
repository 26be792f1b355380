/**
 * Each bug that others had in their consensus, planted here, is caught, and by its name. One
 * alone: `node test/planted/planted.test.ts 07`.
 */
import { availableParallelism } from 'node:os'
import t from 'tap'
import { Copy, judge, parsePlant, readPlants, runUnplanted } from './plant.ts'
import type { Plant, Verdict } from './plant.ts'

const knownBugs = 20
const atOnce = Math.min(2, availableParallelism())

t.setTimeout(600_000)

const filters = process.argv.slice(2)
const all = await readPlants()
const plants =
  filters.length === 0 ? all : all.filter(({ name }) => filters.some((one) => name.includes(one)))

t.test('every known bug is planted, and each patch bears its number', async (t) => {
  const numbers = new Set(all.map(({ number }) => number))
  t.same(
    [...numbers].toSorted((a, b) => a - b),
    Array.from({ length: knownBugs }, (_, at) => at + 1),
  )
  const misnamed = all.filter(({ name, number }) => Number.parseInt(name, 10) !== number)
  t.same(
    misnamed.map(({ name }) => name),
    [],
  )
})

const copies = await Promise.all(Array.from({ length: atOnce }, () => Copy.make()))
t.teardown(() => Promise.all(copies.map((copy) => copy.remove())))
const [copy] = copies as [Copy]

t.test('without the bugs, the same tests pass', async (t) => {
  t.same(await runUnplanted(copy, plants), [])
})

/** Each copy takes the next bug as soon as it is free of the last. */
async function judgeAll(): Promise<ReadonlyMap<Plant, Verdict>> {
  const verdicts = new Map<Plant, Verdict>()
  const queue = plants.values()
  const judgeSome = async (in_: Copy): Promise<void> => {
    for (const plant of queue) verdicts.set(plant, await judge(in_, plant))
  }
  await Promise.all(copies.map(judgeSome))
  return verdicts
}

t.test('with any one of them, its test fails and says how', async (t) => {
  const verdicts = await judgeAll()
  for (const plant of plants) {
    const verdict = verdicts.get(plant)
    if (verdict?.kind === 'missed') t.comment(verdict.output)
    const why = verdict?.kind === 'missed' ? verdict.why : undefined
    t.equal(why, undefined, `${plant.name}: ${plant.bug}`)
  }
  t.equal(verdicts.size, plants.length)
})

const harmless = `Bug: 1. nothing at all
Source: here
Test: test/core/raft/quorum.test.ts: an election is won, lost or open exactly as its missing votes allow
Symptom: .
--- a/src/core/raft/quorum.ts
+++ b/src/core/raft/quorum.ts
@@ -1,2 +1,3 @@
 /**
+ * A word more.
  * Counting: which index a majority holds, and whether an election is won. A joint configuration
`

t.test('a bug that nothing catches is told, and so is a patch that is out of date', async (t) => {
  const plant = parsePlant('harmless', harmless)
  const why = async (of: typeof plant): Promise<unknown> => {
    const verdict = await judge(copy, of)
    return verdict.kind === 'missed' && verdict.why
  }
  t.match(await why(plant), 'passes all the same')
  const stale = parsePlant('stale', harmless.replace(' /**', ' // what was here once'))
  t.match(await why(stale), /does not apply any more.*Plant the bug by hand/)
  t.match(await why({ ...plant, test: 'no such test' }), 'does not come to "no such test"')
  const deadly = harmless.replace('+ * A word more.', "+ */ throw new Error('dead') /*")
  t.match(await why(parsePlant('deadly', deadly)), 'does not come to')
})

t.test('a failure without the symptom is not the bug', async (t) => {
  const [plant] = all
  if (plant === undefined) return
  const verdict = await judge(copy, { ...plant, symptom: /a word that no test says/ })
  t.match(verdict, { kind: 'missed', why: /no failure says/ })
})

t.test('a header that lacks a line is refused by name', async (t) => {
  for (const word of ['Bug', 'Source', 'Test', 'Symptom']) {
    const text = harmless.replace(new RegExp(`^${word}: .*\n`, 'm'), '')
    t.throws(() => parsePlant('x.patch', text), {
      message: `x.patch: its header has no line "${word}: …"`,
    })
  }
})
