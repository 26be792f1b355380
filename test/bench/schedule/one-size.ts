/**
 * One cluster planned, in a process of its own, so that memory is its own too: prints one JSON line.
 *
 *     node --expose-gc one-size.ts UNITS SEED RUNS [FILE]
 */
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { afterPlan, checkPlacements, checkPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { Scheduler } from '../../../src/core/scheduler/scheduler.ts'
import type { Plan, Snapshot } from '../../../src/core/scheduler/types.ts'
import { makeCluster } from './cluster.ts'

export interface SizeFigures {
  readonly units: number
  readonly machines: number
  readonly placements: number
  readonly unplaced: number
  /** Processor time of this process. The first one is of code that was never run before. */
  readonly coldMs: readonly number[]
  /** Of one machine after the other, each lost and back before the next. */
  readonly lostMs: readonly number[]
  readonly movedPerMachine: number
  /** Of rules that the plan breaks, as the checker says; of the plans after a loss, too. */
  readonly violations: number
  readonly checkMs: number
  /** What the planner that is kept weighs, with the cluster that it was told. */
  readonly keptMb: number
  readonly residentMb: number
}

/** Each costs a check of the whole cluster. */
const lossesOf = (units: number): number => (units > 100_000 ? 5 : 20)
const nothingSpecial = { runs: new Map<string, boolean>(), movesMax: undefined }

/** Others use the processor as well: their time is not counted. */
function measured<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const before = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(before)
  return { ms: (user + system) / 1000, result }
}

function measure(
  units: number,
  seed: number,
  runs: number,
): { figures: SizeFigures; after: Snapshot } {
  const cluster = makeCluster(units, seed)
  const colds = Array.from({ length: runs }, () => measured(() => plan(cluster)))
  const { decisions, unplaced } = (colds[0] as { result: Plan }).result
  const after = afterPlan(cluster, decisions)
  const checked = measured(() => [...checkPlan(cluster, decisions), ...checkPlacements(after)])
  globalThis.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  const kept = new Scheduler()
  kept.update(after)
  kept.plan(nothingSpecial)
  globalThis.gc?.()
  const keptMb = (process.memoryUsage().heapUsed - heapBefore) / 1e6
  const lost = loseOneByOne(kept, after)
  const figures: SizeFigures = {
    units,
    machines: cluster.machines.length,
    placements: after.placements.length,
    unplaced: unplaced.size,
    coldMs: colds.map(({ ms }) => ms),
    lostMs: lost.map(({ ms }) => ms),
    movedPerMachine: lost.reduce((sum, { moved }) => sum + moved, 0) / lost.length,
    violations: checked.result.length + lost.reduce((sum, each) => sum + each.violations, 0),
    checkMs: checked.ms,
    keptMb,
    residentMb: process.memoryUsage.rss() / 1e6,
  }
  return { figures, after }
}

function loseOneByOne(kept: Scheduler, start: Snapshot) {
  let snapshot = start
  const losses = lossesOf(start.units.length)
  const step = Math.max(1, Math.floor(start.machines.length / losses))
  return start.machines
    .filter((_, n) => n % step === 0)
    .slice(0, losses)
    .map((machine) => {
      const lost = { ...machine, status: 'lost' as const }
      const machines = snapshot.machines.map((each) => (each.id === machine.id ? lost : each))
      const { ms, result } = measured(() => {
        kept.update({ machines: [lost] })
        return kept.plan(nothingSpecial)
      })
      const seen = { ...snapshot, machines }
      const violations = checkPlan(seen, result.decisions).length
      const moves = result.decisions.filter(({ kind }) => kind === 'move')
      // What moved runs, so its old places go. Then the machine comes back, with what could not move.
      const runs = new Map(moves.map(({ unit, machine: to }) => [`${to}/${unit}`, true]))
      snapshot = afterPlan(seen, result.decisions)
      snapshot = afterPlan(snapshot, kept.plan({ ...nothingSpecial, runs }).decisions)
      snapshot = { ...snapshot, machines: start.machines }
      kept.update({ machines: [machine], leaving: snapshot.leaving ?? [] })
      snapshot = afterPlan(snapshot, kept.plan(nothingSpecial).decisions)
      return { ms, moved: moves.length, violations }
    })
}

/** One item a line: a document of a million units is longer than a string may be. */
async function write(file: string, seed: number, { machines, units, placements }: Snapshot) {
  const stream = createWriteStream(file)
  const put = async (text: string): Promise<void> => {
    if (!stream.write(text)) await once(stream, 'drain')
  }
  await put(`{"v":1,"seed":${seed}`)
  for (const [name, items] of Object.entries({ machines, units, placements })) {
    await put(`,\n"${name}":[`)
    for (const [at, item] of items.entries())
      await put(`${at === 0 ? '' : ','}\n${JSON.stringify(item)}`)
    await put('\n]')
  }
  await put('}\n')
  stream.end()
  await once(stream, 'finish')
}

const [units, seed, runs, file] = process.argv.slice(2)
const { figures, after } = measure(Number(units), Number(seed), Number(runs))
if (file !== undefined) await write(file, Number(seed), after)
process.stdout.write(`${JSON.stringify(figures)}\n`)
