import { type Command, nodeOptions } from '../command.ts'
import { wishFor } from '../voting-wish.ts'

export const command: Command = {
  synopsis: 'members demote MACHINE',
  about:
    'Takes a machine out of the members; it goes on as a client. Another votes in its place first.\n' +
    'The leader hands over before it goes. It stays out until it is promoted, or given back to the\n' +
    'cluster with `members pin --off`. A dead machine may be demoted too, rather than waited for.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    force: { type: 'boolean', describe: 'Even if fewer vote then, and fewer may be lost' },
  },
  examples: [['members demote n3', 'before n3 is taken apart']],
  run: (args, environment) => wishFor(args, environment, 'client'),
}
