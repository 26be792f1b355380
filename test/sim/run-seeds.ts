/** Runs many seeds, in this process or in several at once: a seed's history is the same in each. */
import { fork } from 'node:child_process'
import path from 'node:path'
import { runSeed, type SeedOptions, type SeedResult } from './simulation.ts'

export interface RunOptions extends SeedOptions {
  /** Processes; 1 is this one alone. */
  readonly workers?: number
}

const main = path.join(import.meta.dirname, 'main.ts')
/** Most of what a seed makes is garbage soon: a tenth of the time goes when it is let lie longer. */
const execArgv = ['--max-semi-space-size=32']

/** Results come as they are ready, not in order. */
export async function runSeeds(
  seeds: Iterable<number>,
  onResult: (result: SeedResult) => void,
  { workers = 1, ...options }: RunOptions = {},
): Promise<void> {
  const waiting = [...new Set(seeds)]
  if (workers === 1) {
    for (const seed of waiting) onResult(await runSeed(seed, options))
    return
  }
  const next = (): number | undefined => waiting.shift()
  await Promise.all(Array.from({ length: workers }, () => work(next, onResult, options)))
}

/** One process that is given seeds as long as there are any. */
function work(
  next: () => number | undefined,
  onResult: (result: SeedResult) => void,
  { untilMs }: SeedOptions,
): Promise<void> {
  const until = untilMs === undefined ? [] : ['--until', String(untilMs)]
  const child = fork(main, ['--worker', ...until], { execArgv })
  const give = (): void => {
    const seed = next()
    if (seed === undefined) child.disconnect()
    else child.send(seed)
  }
  child.on('message', (result) => {
    onResult(result as SeedResult)
    give()
  })
  give()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`a worker ended with ${code}`))
    })
  })
}

/** The other side of `work`. */
export function serveSeeds(options: SeedOptions): void {
  process.on('message', (seed) => {
    void runSeed(seed as number, options).then((result) => process.send?.(result))
  })
}
