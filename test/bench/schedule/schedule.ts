/** What planning costs, for clusters of several sizes, and the picture of how it grows. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { must } from '../../../src/tools/rack/processes.ts'
import { type Figure, median, worst } from '../figures.ts'
import { growthPicture } from './picture.ts'
import type { SizeFigures } from './one-size.ts'

/** The size of DESIGN's goals. */
const goalUnits = 100_000
const goals = { coldMs: 2000, lostMs: 20 }
const oneSizeMsMax = 1_800_000
const script = path.join(import.meta.dirname, 'one-size.ts')
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
  readonly figures: readonly Figure[]
}

export async function benchSchedule(
  { sizes, seed, runs, out, picture }: ScheduleOptions,
  say: (line: string) => void,
): Promise<ScheduleReport> {
  const measured: SizeFigures[] = []
  for (const units of sizes) {
    say(`planning ${units} units`)
    const isLast = units === Math.max(...sizes)
    const args = [units, seed, runs].map(String)
    const words = [...flags, script, ...args, ...(isLast && out !== undefined ? [out] : [])]
    const text = await must([process.execPath, ...words], { timeoutMs: oneSizeMsMax })
    measured.push(JSON.parse(text) as SizeFigures)
  }
  if (picture !== undefined) writeFileSync(picture, growthPicture(measured))
  return { seed, sizes: measured, figures: measured.flatMap(figuresOf) }
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
