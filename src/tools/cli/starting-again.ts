/** A unit that ran, or runs, is started anew: its machine must have heard in between that it is not to run. */
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import type { UnitRow, UnitsAnswer, UnitWritten } from '../../node/api/answers.ts'
import type { Arguments } from './command.ts'
import { stopped } from './endings.ts'
import type { CliEnvironment } from './environment.ts'
import { type NodeClient, openNode, segment } from './node-client.ts'
import { type Changed, type Desired, type Outcome, waitFor } from './unit-changes.ts'
import { hasEnded } from './unit-row.ts'

const attemptsMax = 10
const attemptMs = 1000

/** It was launched, and has failed or come to its end; nobody is going to start it by himself. */
const isOver = (row: UnitRow): boolean =>
  row.desired === 'launched' && row.machine !== null && (row.active === 'failed' || hasEnded(row))

/** Nothing of it is left on its machine, not even what is told of how it ended. */
function cleared(rows: readonly UnitRow[], sinceMs: number): Outcome {
  const isTold = rows.some(
    (row) => row.machine !== null && (row.active === 'failed' || hasEnded(row)),
  )
  return isTold ? undefined : stopped(rows, sinceMs)
}

/** Of `names`, those that `start` would find launched, and over. */
export async function overOf(
  node: NodeClient,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const { units } = await node.get<UnitsAnswer>('/v1/units')
  const rows = Map.groupBy(units, ({ name }) => name)
  return new Set(names.filter((name) => rows.get(name)?.every(isOver) === true))
}

/** Those of `changed` that were over already, and whose file is the same, are started once more. */
export async function startOver(
  args: Arguments,
  environment: CliEnvironment,
  node: NodeClient,
  { done }: Changed,
  over: ReadonlySet<string>,
): Promise<void> {
  for (const { name, created, replaced, isGlobal } of done) {
    if (!over.has(name) || created || replaced || isGlobal) continue
    if (!args.flag('json')) environment.stderr(`${name} had ended: it is started again\n`)
    await launchAnew(args, environment, node, name)
  }
}

/** Whether it had stopped in between; if not, what was seen of it is in `told`. */
export async function launchAnew(
  args: Arguments,
  environment: CliEnvironment,
  node: NodeClient,
  name: string,
): Promise<{ readonly hasStopped: boolean; readonly told: string }> {
  // Ctrl-C ends the waiting, and must not leave a unit stopped that was running.
  const uninterrupted = openNode(args, { ...environment, signal: new AbortController().signal })
  const ask = (desired: Desired): Promise<UnitWritten> =>
    uninterrupted.call<UnitWritten>('POST', `/v1/units/${segment(name)}/state`, { desired })
  let hasStopped = false
  let told = ''
  try {
    await ask('loaded')
    const quiet = { ...environment, stdout: (text: string) => void (told = text) }
    hasStopped = await waitFor(quiet, args, node, { names: [name], outcome: cleared })
  } finally {
    // Whatever became of that, it was running and is to run: also when nobody said that it stopped.
    await launchAgain(environment, name, () => ask('launched'))
  }
  return { hasStopped, told }
}

/** Throws, after a while, an error that says what to do by hand. */
async function launchAgain(
  { sleep }: Pick<CliEnvironment, 'sleep'>,
  name: string,
  launch: () => Promise<unknown>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await launch()
      return
    } catch (error) {
      if (!isJangadaError(error)) throw error
      if (attempt === attemptsMax) {
        throw new JangadaError(error.code, `${name} is stopped: ${error.message}`, {
          hint: `as soon as the cluster answers: jangada start ${name}`,
        })
      }
      await sleep(attemptMs)
    }
  }
}
