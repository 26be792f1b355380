/** What planning costs, for clusters of several sizes, and the picture of how it grows. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { must } from '../../../src/tools/rack/processes.ts'
import { type Figure, median, worst } from '../figures.ts'
import { growthPicture } from './picture.ts'
import type { SizeFigures } from './one-size.ts'
import type { ToldFigures } from './told.ts'

/** Where the logs are: a real disk. */
const directory = '/var/tmp'
/** The size of DESIGN's goals. */
const goalUnits = 100_000
const goals = { coldMs: 2000, lostMs: 20 }
const oneSizeMsMax = 1_800_000
/** Of larger clusters the store and its agents are not made. */
const toldUnitsMax = 100_000
const flags = ['--expose-gc', '--max-old-space-size=12000', '--max-semi-space-size=32']

export interface ScheduleOptions {
  readonly sizes: readonly number[]
  readonly seed: number
  readonly runs: number
  /** Where the cluster of the largest size goes, with its placements. */
  readonly out: string | undefined
  readonly picture: string | undefined
}

export interface ScheduleReport {
  readonly seed: number
  readonly sizes: readonly SizeFigures[]
  readonly told: readonly ToldFigures[]
  readonly figures: readonly Figure[]
}

export async function benchSchedule(
  { sizes, seed, runs, out, picture }: ScheduleOptions,
  say: (line: string) => void,
): Promise<ScheduleReport> {
  const measured: SizeFigures[] = []
  const told: ToldFigures[] = []
  for (const units of sizes) {
    say(`planning ${units} units`)
    const isLast = units === Math.max(...sizes)
    const args = [units, seed, runs].map(String)
    const toFile = isLast && out !== undefined ? [out] : []
    measured.push(await run<SizeFigures>('one-size.ts', [...args, ...toFile]))
    if (units > toldUnitsMax) continue
    say(`the same with a store and ${measured.at(-1)?.machines ?? 0} agents`)
    told.push(await run<ToldFigures>('told.ts', [String(units), String(seed), directory]))
  }
  if (picture !== undefined) writeFileSync(picture, growthPicture(measured))
  const figures = [...measured.flatMap(figuresOf), ...told.flatMap(toldFiguresOf)]
  return { seed, sizes: measured, told, figures }
}

/** In a process of its own. */
async function run<T>(script: string, words: readonly string[]): Promise<T> {
  const file = path.join(import.meta.dirname, script)
  const text = await must([process.execPath, ...flags, file, ...words], { timeoutMs: oneSizeMsMax })
  return JSON.parse(text) as T
}

function toldFiguresOf({
  units,
  machines,
  coldMs,
  lostMs,
  movedPerMachine,
}: ToldFigures): Figure[] {
  const told = (name: string, unit: Figure['unit'], samples: readonly number[]): Figure => ({
    name: `${units} units on ${machines}, to the agents: ${name}`,
    ...{ unit, value: median(samples), goal: Infinity, samples },
  })
  return [
    told('taken office', 'ms', [coldMs]),
    told('one machine lost, median', 'ms', lostMs),
    told('one machine lost, worst', 'ms', [worst(lostMs)]),
    told('units moved for it', '', [movedPerMachine]),
  ]
}

function figuresOf(size: SizeFigures): Figure[] {
  const { units, coldMs, lostMs, violations } = size
  const isGoal = units === goalUnits
  const of = (name: string): string => `${units} units on ${size.machines}: ${name}`
  const told = (name: string, unit: Figure['unit'], value: number): Figure => ({
    ...{ name: of(name), unit, value, goal: Infinity, samples: [value] },
  })
  const held = (name: string, value: number, goal: number, samples: readonly number[]): Figure => ({
    ...{ name: of(name), unit: 'ms', value, goal: isGoal ? goal : Infinity, samples },
  })
  return [
    held('cold plan, best', Math.min(...coldMs), goals.coldMs, coldMs),
    told('cold plan, first', 'ms', coldMs[0] ?? NaN),
    held('one machine lost, median', median(lostMs), goals.lostMs, lostMs),
    told('one machine lost, worst', 'ms', worst(lostMs)),
    told('units moved for it', '', size.movedPerMachine),
    told('units without a place', '', size.unplaced),
    { ...told('rules broken, says the checker', '', violations), goal: 0 },
    told('the whole plan checked', 'ms', size.checkMs),
    told('memory of the kept planner', 'MB', size.keptMb),
    told('memory of the process', 'MB', size.residentMb),
  ]
}
