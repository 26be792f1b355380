/** What `drain` and `leave` share: to ask for a drain, and to wait for its end. */
import type { MachineDetails, MachinesAnswer } from '../../node/api/answers.ts'
import { usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'
import { type NodeClient, segment } from './node-client.ts'

const pollMs = 500

export interface DrainOptions {
  /** Undefined: for as long as it takes. */
  readonly deadlineMs: number | undefined
  readonly tells: boolean
}

/** False when it was interrupted, or somebody has taken the drain back. */
export async function drainAndWait(
  environment: CliEnvironment,
  node: NodeClient,
  machine: string,
  { deadlineMs, tells }: DrainOptions,
): Promise<boolean> {
  const { id } = await askDrain(node, machine, deadlineMs)
  return waitForDrain(environment, node, id, tells)
}

export const askDrain = (
  node: NodeClient,
  machine: string,
  deadlineMs: number | undefined,
): Promise<{ id: string; name: string }> =>
  node.call('POST', `/v1/machines/${segment(machine)}/drain`, {
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  })

export async function detailsOf(node: NodeClient, id: string): Promise<MachineDetails> {
  const { machines } = await node.get<MachinesAnswer>('/v1/machines')
  const found = machines.find((one) => one.id === id)
  if (found === undefined) throw usage('the machine has left the cluster')
  return found
}

/** False when it was interrupted, or somebody has taken the drain back. */
export async function waitForDrain(
  environment: CliEnvironment,
  node: NodeClient,
  id: string,
  tells: boolean,
): Promise<boolean> {
  const say = (text: string): void => {
    if (tells) environment.stdout(`${text}\n`)
  }
  for (let told = -1; ;) {
    const { name, drain, unitsToMove } = await detailsOf(node, id)
    if (drain === null) {
      environment.stderr(`somebody has ended it: ${name} takes units again\n`)
      return false
    }
    if (unitsToMove === 0) {
      say(`${name} is drained`)
      return true
    }
    if (unitsToMove !== told) say(`${name}: ${unitsToMove} units to move`)
    told = unitsToMove
    if (environment.signal.aborted) {
      environment.stderr(`interrupted; it goes on. To end it: jangada undrain ${name}\n`)
      return false
    }
    await environment.sleep(pollMs)
  }
}
