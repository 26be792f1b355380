import type { MachineDetails, MachinesAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { durationMs } from '../duration.ts'
import type { CliEnvironment } from '../environment.ts'
import { type NodeClient, openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

const pollMs = 500

export const command: Command = {
  synopsis: 'drain MACHINE',
  about:
    'Empties a machine: no unit comes to it any more, and each that is there goes once its\n' +
    'replacement runs elsewhere. Units for which no other machine has a place stay, until the\n' +
    'deadline if there is one; global units stay in any case. Waits until only those are left.\n' +
    'It lasts, also over restarts of the machine, until `undrain`.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    deadline: {
      type: 'string',
      requiresArg: true,
      describe: 'After this time (30s, 10m) what is left goes too, replaced or not',
    },
    block: { type: 'boolean', default: true, describe: 'Wait until it is so; --no-block does not' },
  },
  examples: [
    ['drain n2', 'before its disk is changed'],
    ['drain n2 --deadline 10m', 'and no longer than this'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const [machine = ''] = args.words
    const deadline = args.text('deadline')
    const body = deadline === undefined ? {} : { deadlineMs: durationMs(deadline, '--deadline') }
    const asked = await node.call<{ id: string; name: string }>(
      'POST',
      `/v1/machines/${segment(machine)}/drain`,
      body,
    )
    const isDone =
      !args.flag('block') || (await wait(environment, node, asked.id, !args.flag('json')))
    if (args.flag('json')) printJson(environment, await detailsOf(node, asked.id))
    else if (!args.flag('block')) environment.stdout(`${asked.name} drains\n`)
    return isDone ? 0 : 1
  },
}

async function detailsOf(node: NodeClient, id: string): Promise<MachineDetails> {
  const { machines } = await node.get<MachinesAnswer>('/v1/machines')
  const found = machines.find((one) => one.id === id)
  if (found === undefined) throw usage('the machine has left the cluster')
  return found
}

/** False when it was interrupted, or somebody has taken the drain back. */
async function wait(
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
