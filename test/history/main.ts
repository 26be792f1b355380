/**
 * `npm run history -- --seconds N --faults kill,partition,pause --out FILE`: what clients of a real
 * cluster were told while its machines failed, one operation a line, and whether it is
 * linearizable. `--check FILE` checks a file. Ends with 1 when it is not, or not enough happened.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { describeError, JangadaError } from '../../src/base/errors.ts'
import { buildFirst, inRack } from '../bench/rack.ts'
import { type FaultName, faultNames } from './faults.ts'
import { checkHistory } from './linearizable.ts'
import { lineOf, type Operation, parseHistory, textOf } from './operation.ts'
import { hostCount, type Run, runHistory } from './run.ts'

const usage = `npm run history -- --seconds N --faults ${faultNames.join(',')} --out FILE [--clients N] [--seed N]
       npm run history -- --check FILE`
const options = {
  seconds: { type: 'string', default: '60' },
  faults: { type: 'string', default: faultNames.join(',') },
  out: { type: 'string' },
  clients: { type: 'string', default: '16' },
  seed: { type: 'string', default: '1' },
  check: { type: 'string' },
} as const

/** What a run of at least `enoughAfterSeconds` must have seen, or it shows little. */
const enoughAfterSeconds = 60
const operationsMin = 5000
const leadersMin = 3

const wrong = (what: string): JangadaError =>
  new JangadaError('JGD_USAGE', what, { hint: `usage: ${usage}` })
const say = (line: string): void => void process.stdout.write(`${line}\n`)

function count(name: string, text: string, min: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= min) return value
  throw wrong(`--${name} is a whole number from ${min}, not "${text}"`)
}

function faultsOf(text: string): FaultName[] {
  return [...new Set(text.split(',').filter((name) => name !== ''))].map((name) => {
    const known = faultNames.find((each) => each === name)
    if (known === undefined) throw wrong(`there is no fault "${name}"`)
    return known
  })
}

/** True when the history is right; says so, or what broke it. */
function judge(operations: readonly Operation[]): boolean {
  const startMs = performance.now()
  const verdict = checkHistory(operations)
  const seconds = ((performance.now() - startMs) / 1000).toFixed(2)
  const keys = new Set(operations.map(({ key }) => key)).size
  const unknown = operations.filter(({ ok }) => ok === null).length
  say(`${operations.length} operations on ${keys} keys, ${unknown} with unknown end`)
  if (verdict.kind === 'linearizable') {
    say(`linearizable (checked in ${seconds} s)`)
    return true
  }
  if (verdict.kind === 'undecided') {
    say(`undecided: too many operations at once on ${verdict.key} (${seconds} s)`)
    return false
  }
  const { operation, mayHold } = verdict
  const line = operations.indexOf(operation) + 1
  say(`NOT linearizable (checked in ${seconds} s). No order explains line ${line}:`)
  say(lineOf(operation))
  say(`the key could hold: ${mayHold.map((value) => value ?? 'nothing').join(', ')}`)
  return false
}

function tell({ leaders, faults, failures }: Run): void {
  const machines = new Set(leaders.values())
  say(
    `leaders: ${leaders.size} (terms ${[...leaders.keys()].join(' ')}), on ${machines.size} machines`,
  )
  say(`faults: ${faultNames.map((name) => `${name} ${faults[name]}`).join(', ')}`)
  for (const [name, times] of failures) say(`  ${times} × ${name}`)
}

async function main(words: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({ args: [...words], options })
  if (values.check !== undefined) return judge(parseHistory(await readFile(values.check, 'utf8')))
  const { out } = values
  if (out === undefined) throw wrong('--out FILE says where the history goes')
  const seconds = count('seconds', values.seconds, 1)
  const order = {
    seconds,
    faults: faultsOf(values.faults),
    clients: count('clients', values.clients, 1),
    seed: count('seed', values.seed, 0),
    say,
  }
  await buildFirst()
  const run = await inRack({ hosts: hostCount }, (rack) => runHistory(rack, order))
  await writeFile(out, textOf(run.operations))
  tell(run)
  const isRight = judge(run.operations)
  const isEnough = run.operations.length >= operationsMin && run.leaders.size >= leadersMin
  if (isEnough || seconds < enoughAfterSeconds) return isRight
  say(`too little happened: at least ${operationsMin} operations and ${leadersMin} leaders`)
  return false
}

try {
  if (!(await main(process.argv.slice(2)))) process.exitCode = 1
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  if (error instanceof JangadaError && error.hint !== undefined) {
    process.stderr.write(`next: ${error.hint}\n`)
  }
  process.exitCode = 2
}
