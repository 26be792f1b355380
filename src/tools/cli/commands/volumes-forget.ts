import { type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'volumes forget NAME',
  about:
    'Says that a volume is lost for good, or may be made anew: units that use it may go to any machine,\n' +
    'where it begins empty. For when its machine never returns. The volume itself is not touched: on a\n' +
    'machine that comes back after all, it is as it was.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    machine: {
      type: 'string',
      requiresArg: true,
      describe: 'Where it was, if it is on more than one',
    },
  },
  examples: [['volumes forget data', 'its machine is gone, and there is a backup elsewhere']],
  run: async (args, environment) => {
    const [name = ''] = args.words
    const machine = args.text('machine')
    const query = machine === undefined ? '' : `?machine=${encodeURIComponent(machine)}`
    const node = openNode(args, environment)
    const answer = await node.call('DELETE', `/v1/volumes/${segment(name)}${query}`)
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`Volume ${name} is forgotten\n`)
    return 0
  },
}
