import { type Command, nodeOptions } from '../command.ts'
import { snapshotLines } from '../state-text.ts'
import { printJson } from '../table.ts'

const { json } = nodeOptions

export const command: Command = {
  synopsis: 'snapshot verify FILE',
  about:
    'Reads a copy from its first byte to its last, with every checksum and every record in it, as a\n' +
    'restore would, and says what it holds. No node is needed.',
  words: { min: 1, max: 1 },
  options: { ...(json === undefined ? {} : { json }) },
  examples: [['snapshot verify /srv/backup/monday.snapshot', 'exit code 1 when it is damaged']],
  run: async (args, environment) => {
    const [path = ''] = args.words
    const { verify } = await environment.offline()
    const report = await verify(path)
    if (args.flag('json')) printJson(environment, report)
    else environment.stdout(snapshotLines(report))
    return 0
  },
}
