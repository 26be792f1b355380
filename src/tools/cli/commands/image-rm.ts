import { type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'image rm NAME',
  about: 'Removes a system image from this node. Machines that run it go on.',
  words: { min: 1, max: 1 },
  options: nodeOptions,
  examples: [['image rm jangada', 'see jangada image ls']],
  run: async (args, environment) => {
    const [name = ''] = args.words
    await openNode(args, environment).call('DELETE', `/v1/images/${segment(name)}`)
    if (args.flag('json')) printJson(environment, { removed: name })
    else environment.stdout(`Image ${name} is removed\n`)
    return 0
  },
}
