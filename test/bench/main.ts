/** `npm run bench -- NAME`: figures beside their goals, or beside a peer's in the same run. */
import { appendFile, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { describeError } from '../../src/base/errors.ts'
import { must } from '../../src/tools/rack/processes.ts'
import { benchCalm } from './calm.ts'
import { benchConsensus, consensusLines } from './consensus/consensus.ts'
import { benchWeight, weightLines } from './consensus/weight.ts'
import { benchFailover } from './failover.ts'
import { benchFootprint } from './footprint.ts'
import { type Figure, figureLines } from './figures.ts'
import { benchLeaderLoss } from './leader-loss.ts'
import { buildFirst } from './rack.ts'
import { benchSchedule } from './schedule/schedule.ts'
import { type Occasion, settledPage } from './settled/paper.ts'
import { benchSettled } from './settled/settled.ts'

const repository = path.join(import.meta.dirname, '../..')
const usage = `usage: npm run bench -- failover [--cuts N] [--swarm-cuts N] [--json]
       npm run bench -- footprint [--json]
       npm run bench -- leader-loss [--cuts N] [--json]
       npm run bench -- calm [--minutes N] [--json]
       npm run bench -- consensus [--peer etcd] [--runs N] [--seconds N] [--clients 1,64,…] [--json]
       npm run bench -- weight [--peer etcd] [--puts N] [--json]
       npm run bench -- settled [--units N] [--seconds N] [--changes N] [--out FILE] [--json]
       npm run bench -- schedule [--sizes 1000,10000,…] [--seed S] [--runs N] [--out FILE] [--picture FILE] [--json]`

const options = {
  json: { type: 'boolean', default: false },
  cuts: { type: 'string', default: '20' },
  'swarm-cuts': { type: 'string', default: '0' },
  minutes: { type: 'string', default: '10' },
  puts: { type: 'string', default: '1000000' },
  peer: { type: 'string', default: 'etcd' },
  runs: { type: 'string', default: '3' },
  seconds: { type: 'string' },
  units: { type: 'string', default: '1000' },
  changes: { type: 'string', default: '20' },
  clients: { type: 'string', default: '1,64,256,1000' },
  sizes: { type: 'string', default: '100000' },
  seed: { type: 'string', default: '1' },
  out: { type: 'string' },
  picture: { type: 'string' },
} as const

/** What was measured, for programs and for people. */
interface Measured {
  readonly data: object
  readonly lines: readonly string[]
}

/** Says what is going on, where it does not get into the figures. */
const say = (line: string): void => void process.stderr.write(`${line}\n`)

async function measure(words: readonly string[]): Promise<Measured & { readonly json: boolean }> {
  const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true })
  const [name] = positionals
  const { json } = values
  if (positionals.length !== 1) throw new Error(usage)
  switch (name) {
    case 'failover':
      return { json, ...ofFigures(await failover(values, say)) }
    case 'leader-loss':
      return { json, ...ofFigures(await benchLeaderLoss(count(values.cuts), say)) }
    case 'calm':
      return { json, ...ofFigures(await benchCalm(count(values.minutes), say)) }
    case 'footprint':
      return { json, ...ofFigures(await benchFootprint(say)) }
    case 'consensus': {
      if (values.peer !== 'etcd') throw new Error(usage)
      const clients = values.clients.split(',').map(count)
      const [runs, seconds] = [count(values.runs), count(values.seconds ?? '10')]
      const data = await benchConsensus({ runs, seconds, clients }, say)
      return { json, data, lines: consensusLines(data) }
    }
    case 'weight': {
      if (values.peer !== 'etcd') throw new Error(usage)
      const data = await benchWeight(count(values.puts), say)
      return { json, data, lines: weightLines(data) }
    }
    case 'schedule': {
      const { out, picture } = values
      const [sizes, seed] = [values.sizes.split(',').map(count), count(values.seed)]
      const asked = { sizes, seed, runs: count(values.runs), out, picture }
      const data = await benchSchedule(asked, say)
      return { json, data, lines: [`seed ${seed}`, ...figureLines(data.figures)] }
    }
    case 'settled': {
      const { units, seconds = '120', changes, out } = values
      const asked = { units: count(units), seconds: count(seconds), changes: count(changes) }
      // A long run should not end at a file that cannot be written.
      if (out !== undefined) await appendFile(out, '')
      const occasion = await whereAndWhen()
      const data = await benchSettled(asked, say)
      if (out !== undefined) await writeFile(out, settledPage(data, occasion))
      return { json, data, lines: figureLines(data.figures) }
    }
    default:
      throw new Error(usage)
  }
}

/** For a page: the commit, and the machine before the bench has any part in its load. */
async function whereAndWhen(): Promise<Occasion> {
  const load = (loadavg()[0] ?? 0).toFixed(1)
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? '?'} with a load of ${load} before it`
  return { commit: await commitNow(), machine }
}

const commitNow = async (): Promise<string> =>
  (await must(['git', '-C', repository, 'rev-parse', '--short', 'HEAD'])).trim()

function failover(
  values: { readonly cuts: string; readonly 'swarm-cuts': string },
  tell: typeof say,
): Promise<readonly Figure[]> {
  const swarm = values['swarm-cuts'] === '0' ? 0 : count(values['swarm-cuts'])
  return benchFailover({ cuts: count(values.cuts), swarm }, tell)
}

const ofFigures = (figures: readonly Figure[]): Measured => ({
  data: { figures },
  lines: figureLines(figures),
})

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(usage)
  return value
}

async function main(words: readonly string[]): Promise<void> {
  // Plans are made in this repository's own code, without a cluster.
  if (words[0] !== 'schedule') await buildFirst()
  const { json, data, lines } = await measure(words)
  const commit = await commitNow()
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? '?', load: loadavg()[0] ?? 0 }
  if (json) {
    process.stdout.write(`${JSON.stringify({ commit, machine, ...data }, undefined, 2)}\n`)
    return
  }
  const load = machine.load.toFixed(1)
  process.stdout.write(`commit ${commit}; ${machine.cpus} x ${machine.model}, load ${load}\n`)
  for (const line of lines) process.stdout.write(`${line}\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  say(describeError(error))
  process.exitCode = 1
}
