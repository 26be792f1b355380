import { type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'leader transfer MACHINE',
  about: 'Hands the lead over to another voter, named by its id or name, without a gap in service.',
  words: { min: 1, max: 1 },
  options: nodeOptions,
  examples: [['leader transfer n2', 'before n2 is the only one that stays up']],
  run: async (args, environment) => {
    const [machine = ''] = args.words
    const answer = await openNode(args, environment).call<{ name: string; memberId: number }>(
      'POST',
      '/v1/leader/transfer',
      { machine },
    )
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`${answer.name} (member ${answer.memberId}) leads\n`)
    return 0
  },
}
