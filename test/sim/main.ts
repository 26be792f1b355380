/**
 * `npm run sim -- --seeds N [--seed S] [--until MS] [--verbose]`: runs N seeds, those that failed
 * once first, and tells how often each fault happened. A fault that never did fails the run: it
 * proved less than it says. The last line is `N seeds, F failed`.
 */
import { parseArgs } from 'node:util'
import { faultKinds } from './faults.ts'
import { knownSeeds } from './known-seeds.ts'
import { runSeed, type SeedResult } from './simulation.ts'
import { tellFailure, Totals } from './tell.ts'

/** Few seeds may well miss a kind of fault; from here on a missing one is a fault of the run. */
const seedsForEveryFault = 20
const defaultSeeds = 50

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    until: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    hashes: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

function number(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`${text} is not a number`)
}

/** Random seeds differ from run to run, and are told; given ones follow from `--seed`. */
function chooseSeeds(): number[] {
  const first = number(values.seed, 1)
  const count = number(values.seeds, values.seed === undefined ? defaultSeeds : 1)
  const own = Array.from({ length: count }, (_, at) => first + at)
  return values.seed === undefined ? [...new Set([...knownSeeds(), ...own])] : own
}

function options(): Parameters<typeof runSeed>[1] {
  return {
    ...(values.verbose ? { onLine: say } : {}),
    ...(values.until === undefined ? {} : { untilMs: number(values.until, 0) }),
  }
}

async function main(): Promise<number> {
  const totals = new Totals()
  const seeds = chooseSeeds()
  for (const seed of seeds) {
    const result: SeedResult = await runSeed(seed, options())
    totals.add(result)
    if (values.hashes) say(`${seed} ${result.hash}`)
    if (result.failure !== undefined) tellFailure(result, say)
  }
  for (const line of totals.lines()) say(line)
  const missing = faultKinds.filter((kind) => totals.count(kind) === 0)
  const isShort = seeds.length < seedsForEveryFault
  if (missing.length > 0 && !isShort) say(`never happened: ${missing.join(', ')}`)
  say(`${seeds.length} seeds, ${totals.failed} failed`)
  return totals.failed > 0 || (missing.length > 0 && !isShort) ? 1 : 0
}

process.exitCode = await main()
