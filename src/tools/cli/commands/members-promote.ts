import { type Command, nodeOptions } from '../command.ts'
import { wishFor } from '../voting-wish.ts'

export const command: Command = {
  synopsis: 'members promote MACHINE',
  about:
    'Lets a machine vote, in the place of another where there are as many voters as asked for. It\n' +
    'catches up first. It keeps its vote until it is demoted, or given back to the cluster with\n' +
    '`members pin --off`.',
  words: { min: 1, max: 1 },
  options: nodeOptions,
  examples: [['members promote n4', 'n4 has the better disk']],
  run: (args, environment) => wishFor(args, environment, 'voter'),
}
