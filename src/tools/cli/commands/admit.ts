import { type Command, nodeOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'admit MACHINE',
  about:
    'Lets a machine in that waits: by its id, the beginning of it, or its name. A machine that\n' +
    'was admitted once and has no disk comes back by itself later.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    key: {
      type: 'string',
      requiresArg: true,
      describe: 'Only if it shows this key: the hash on its console',
    },
    voter: { type: 'boolean', describe: 'It may become a voter; needs a disk to be of use' },
  },
  examples: [['admit 4c4c4544', 'see jangada machines --pending']],
  run: async (args, environment) => {
    const [machine = ''] = args.words
    const keyHash = args.text('key')
    const answer = await openNode(args, environment).call<{ id: string; name: string }>(
      'POST',
      `/v1/machines/${segment(machine)}/admit`,
      {
        ...(keyHash === undefined ? {} : { keyHash }),
        ...(args.flag('voter') ? { roleCeiling: 'voter' } : {}),
      },
    )
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`Machine ${answer.name} (${answer.id}) is admitted\n`)
    return 0
  },
}
