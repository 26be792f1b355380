/**
 * `npm run sim -- [--seeds N] [--seed S] [--workers W]`: runs N seeds, those that failed once
 * first, and tells how often each fault happened. One that never did fails the run: it proved less
 * than it says. The last line is `N seeds, F failed`.
 *
 * `--seed S --verbose` shows all of one seed as it happens; `--seed S --until T` stops it at T
 * simulated milliseconds and shows how every machine stands. `--campaign` notes the range in
 * `campaign.json`.
 */
import { parseArgs } from 'node:util'
import { noteCampaign } from './campaign.ts'
import { knownSeeds } from './known-seeds.ts'
import { runSeeds, serveSeeds } from './run-seeds.ts'
import type { SeedOptions, SeedResult } from './simulation.ts'
import { tellFailure, Totals } from './tell.ts'

/** Few seeds may well miss a kind of fault; from here on a missing one is a fault of the run. */
const seedsForEveryFault = 100
const defaultSeeds = 50
const seedsPerPart = 50

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    workers: { type: 'string' },
    until: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    hashes: { type: 'boolean', default: false },
    campaign: { type: 'boolean', default: false },
    worker: { type: 'boolean', default: false },
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

/** Errors are answers here, by the thousand; where they came from is told to who looks at a seed. */
if (!values.verbose) Error.stackTraceLimit = 0

const first = number(values.seed, 1)

/** With a first seed those from it on; without, the known ones too. */
function chooseSeeds(): number[] {
  const count = number(values.seeds, values.seed === undefined ? defaultSeeds : 1)
  const own = Array.from({ length: count }, (_, at) => first + at)
  const isWithKnown = values.seed === undefined && !values.campaign
  return isWithKnown ? [...new Set([...knownSeeds(), ...own])] : own
}

const options: SeedOptions = {
  ...(values.verbose ? { onLine: say } : {}),
  ...(values.until === undefined ? {} : { untilMs: number(values.until, 0) }),
}

function tell(result: SeedResult): void {
  if (values.hashes) say(`${result.seed} ${result.hash}`)
  else if (result.failure !== undefined) tellFailure(result, say)
  else if (result.isStopped) for (const line of result.timeline) say(line)
}

/** A campaign is noted part by part: whoever interrupts it loses little. */
async function run(seeds: readonly number[]): Promise<Totals> {
  const totals = new Totals()
  const partLength = values.campaign ? seedsPerPart : seeds.length
  for (let at = 0; at < seeds.length; at += partLength) {
    const part = new Totals()
    const startMs = Date.now()
    const onResult = (result: SeedResult): void => {
      totals.add(result)
      part.add(result)
      tell(result)
    }
    const own = seeds.slice(at, at + partLength)
    await runSeeds(own, onResult, { ...options, workers: number(values.workers, 1) })
    if (values.campaign) noteCampaign(first + at, part, (Date.now() - startMs) / 1000)
  }
  return totals
}

async function main(): Promise<number> {
  const seeds = chooseSeeds()
  const startMs = Date.now()
  const totals = await run(seeds)
  const seconds = (Date.now() - startMs) / 1000
  const isWhole = values.until === undefined
  if (isWhole) for (const line of totals.lines()) say(line)
  const isShort = seeds.length < seedsForEveryFault || !isWhole
  const missing = isShort ? [] : totals.missing
  if (missing.length > 0) say(`never happened: ${missing.join(', ')}`)
  say(`${seconds.toFixed(0)} s, ${(seconds / seeds.length).toFixed(2)} s a seed`)
  say(`${seeds.length} seeds, ${totals.failed.length} failed`)
  return totals.failed.length > 0 || missing.length > 0 ? 1 : 0
}

if (values.worker) serveSeeds(options)
else process.exitCode = await main()
