/** `npm run bench -- failover|footprint [--json] [--cuts N]`: figures beside their goals. */
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { describeError } from '../../src/base/errors.ts'
import { must } from '../../src/tools/rack/processes.ts'
import { benchFailover } from './failover.ts'
import { benchFootprint } from './footprint.ts'
import { type Figure, figureLines } from './figures.ts'
import { buildFirst } from './rack.ts'

const repository = path.join(import.meta.dirname, '../..')
const usage = 'npm run bench -- failover|footprint [--json] [--cuts N]'

/** Says what is going on, where it does not get into the figures. */
const say = (line: string): void => void process.stderr.write(`${line}\n`)

async function figuresOf(words: readonly string[]): Promise<readonly Figure[]> {
  const [name, ...options] = words.filter((word) => word !== '--json')
  const cutsAt = options.indexOf('--cuts')
  const cuts = cutsAt < 0 ? 20 : Number(options[cutsAt + 1])
  if (name === 'footprint' && options.length === 0) return benchFootprint(say)
  const isKnown = name === 'failover' && options.length === (cutsAt < 0 ? 0 : 2)
  if (!isKnown || !Number.isSafeInteger(cuts) || cuts < 1) throw new Error(`usage: ${usage}`)
  return benchFailover(cuts, say)
}

async function main(words: readonly string[]): Promise<void> {
  await buildFirst()
  const figures = await figuresOf(words)
  const commit = (await must(['git', '-C', repository, 'rev-parse', '--short', 'HEAD'])).trim()
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? '?', load: loadavg()[0] ?? 0 }
  if (words.includes('--json')) {
    process.stdout.write(`${JSON.stringify({ commit, machine, figures }, undefined, 2)}\n`)
    return
  }
  const load = machine.load.toFixed(1)
  process.stdout.write(`commit ${commit}; ${machine.cpus} x ${machine.model}, load ${load}\n`)
  for (const line of figureLines(figures)) process.stdout.write(`${line}\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  say(describeError(error))
  process.exitCode = 1
}
