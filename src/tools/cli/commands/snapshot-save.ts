import { type Command, nodeOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { snapshotLines } from '../state-text.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'snapshot save FILE',
  about:
    'Copies the whole state of the cluster to a file, while everything goes on: every write that was\n' +
    'acknowledged before is in it. The file is verified before it has its name. Keep it as you keep\n' +
    'keys: all that the cluster knows is in it.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    replace: { type: 'boolean', describe: 'Write over FILE when it is there' },
  },
  examples: [['snapshot save /srv/backup/monday.snapshot', 'then jangada snapshot verify']],
  run: async (args, environment) => {
    const [path = ''] = args.words
    const chunks = await openNode(args, environment).stream('/v1/snapshot')
    const { save } = await environment.offline()
    const report = await save(path, chunks, { replace: args.flag('replace') })
    if (args.flag('json')) printJson(environment, report)
    else environment.stdout(snapshotLines(report))
    return 0
  },
}
