import { type Command, nodeOptions } from '../command.ts'
import { wishFor } from '../voting-wish.ts'

export const command: Command = {
  synopsis: 'members pin MACHINE [--off]',
  about:
    'Keeps a voter a voter, and a client a client; a standby that is pinned stands by no more. With\n' +
    '--off the cluster chooses again; that takes back `members promote` and `demote` as well.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    off: { type: 'boolean', describe: 'Leave it to the cluster' },
  },
  examples: [
    ['members pin n1', 'n1 votes now, and stays a voter'],
    ['members pin n1 --off', 'the cluster chooses'],
  ],
  run: (args, environment) => wishFor(args, environment, args.flag('off') ? 'auto' : 'as-is'),
}
