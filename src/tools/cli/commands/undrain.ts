import { type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'undrain MACHINE',
  about: 'Lets a machine take units again. What has moved stays where it is.',
  words: { min: 1, max: 1 },
  options: nodeOptions,
  examples: [['undrain n2', '']],
  run: async (args, environment) => {
    const [machine = ''] = args.words
    const path = `/v1/machines/${segment(machine)}/undrain`
    const answer = await openNode(args, environment).call<{ name: string }>('POST', path)
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`${answer.name} takes units\n`)
    return 0
  },
}
