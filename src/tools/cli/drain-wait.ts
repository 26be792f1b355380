/** What `drain` and `leave` share: to ask for a drain, and to wait for its end. */
import { isJangadaError } from '../../base/errors.ts'
import { reasonsByMachine } from '../../base/reasons-text.ts'
import type {
  MachineDetails,
  MachinesAnswer,
  UnitAnswer,
  UnitRow,
  UnitsAnswer,
  WhyAnswer,
} from '../../node/api/answers.ts'
import { usage } from './command.ts'
import type { CliEnvironment } from './environment.ts'
import { type NodeClient, segment } from './node-client.ts'

const pollMs = 500
/** When no unit has gone for so long, people are told what keeps those that are left. */
const stuckMs = 10_000
const unitsAsked = 20
const unitsTold = 5

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
  let told = -1
  let changedMs = environment.monotonicMs()
  let isReasonTold = false
  for (;;) {
    const { name, drain, unitsToMove } = await detailsOf(node, id)
    const nowMs = environment.monotonicMs()
    if (drain === null) {
      environment.stderr(`somebody has ended it: ${name} takes units again\n`)
      return false
    }
    if (unitsToMove === 0) {
      say(`${name} is drained`)
      return true
    }
    if (unitsToMove !== told) {
      say(`${name}: ${unitsToMove} units to move`)
      told = unitsToMove
      changedMs = nowMs
      isReasonTold = false
    } else if (tells && !isReasonTold && nowMs - changedMs >= stuckMs) {
      isReasonTold = true
      for (const line of await whatStays(node, id)) say(`  ${line}`)
      const end = drain.deadlineMs === undefined ? '; a --deadline would end that' : ''
      say(
        `waiting until they can leave${end}. To end this wait takes nothing back: ${name} drains on`,
      )
    }
    if (environment.signal.aborted) {
      environment.stderr(`interrupted; it goes on. To end it: jangada undrain ${name}\n`)
      return false
    }
    await environment.sleep(pollMs)
  }
}

/** The units that are left on a machine which drains, and what keeps them there. */
async function whatStays(node: NodeClient, id: string): Promise<string[]> {
  const { units } = await node.get<UnitsAnswer>('/v1/units')
  const lines: string[] = []
  for (const row of units.filter(({ machine }) => machine === id).slice(0, unitsAsked)) {
    const why = await whyItStays(node, id, row)
    if (why !== undefined) lines.push(`${row.name}: ${why}`)
    if (lines.length === unitsTold) break
  }
  return lines
}

/** Undefined of a global unit, for which nobody waits. */
async function whyItStays(
  node: NodeClient,
  id: string,
  { name, active }: UnitRow,
): Promise<string | undefined> {
  const path = `/v1/units/${segment(name)}`
  try {
    if ((await node.get<UnitAnswer>(path)).isGlobal) return undefined
    const { machines } = await node.get<WhyAnswer>(`${path}/why`)
    const here = machines.find((machine) => machine.id === id)
    if (active === 'deactivating' || here?.verdict !== 'placed') return 'it is being stopped'
    return whatElseOf(machines.filter((machine) => machine.id !== id))
  } catch (error) {
    // It is destroyed, and its container is not gone yet.
    if (isJangadaError(error, 'JGD_UNIT_UNKNOWN')) return 'it is being stopped'
    throw error
  }
}

function whatElseOf(others: WhyAnswer['machines']): string {
  const next = others.find(({ verdict }) => verdict !== 'refused')
  if (next !== undefined) return `until it runs on ${next.name}, or more like it run`
  return others.length === 0 ? 'there is no other machine' : reasonsByMachine(others)
}
