import { anyNumber, type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'token rm ID…',
  about: 'Takes tokens back. Machines that joined with them stay.',
  words: { min: 1, max: anyNumber },
  options: nodeOptions,
  examples: [['token rm 0f1e2d3c4b5a6978', 'see jangada token ls']],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    for (const id of args.words) {
      await node.call('DELETE', `/v1/tokens/${segment(id)}`)
      if (!args.flag('json')) environment.stdout(`Token ${id} was taken back\n`)
    }
    if (args.flag('json')) printJson(environment, { removed: args.words })
    return 0
  },
}
