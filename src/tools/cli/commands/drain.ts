import { type Command, nodeOptions } from '../command.ts'
import { askDrain, detailsOf, waitForDrain } from '../drain-wait.ts'
import { durationMs } from '../duration.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

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
    const deadlineMs = deadline === undefined ? undefined : durationMs(deadline, '--deadline')
    const asked = await askDrain(node, machine, deadlineMs)
    const isDone =
      !args.flag('block') || (await waitForDrain(environment, node, asked.id, !args.flag('json')))
    if (args.flag('json')) printJson(environment, await detailsOf(node, asked.id))
    else if (!args.flag('block')) environment.stdout(`${asked.name} drains\n`)
    return isDone ? 0 : 1
  },
}
