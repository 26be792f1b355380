import { type Command, nodeOptions } from '../command.ts'
import { printJson, sizeText } from '../table.ts'

const { json } = nodeOptions

export const command: Command = {
  synopsis: 'image build',
  about:
    "Builds a system image from Debian's packages on this machine, as root. A second build reuses\n" +
    'what has not changed.',
  words: { min: 0, max: 0 },
  options: {
    ...(json === undefined ? {} : { json }),
    output: {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      default: 'jangada-image.tar.zst',
      describe: 'The file to write',
    },
    cache: { type: 'string', requiresArg: true, describe: 'Where results of steps are kept' },
    refresh: { type: 'boolean', describe: "Fetch Debian's packages anew" },
  },
  examples: [['image build -o /srv/image.tar.zst', 'then jangada image import']],
  run: async (args, environment) => {
    const built = await environment.imageBuild({
      output: args.text('output') ?? 'jangada-image.tar.zst',
      cacheDirectory: args.text('cache'),
      refresh: args.flag('refresh'),
      onProgress: (line) => environment.stderr(`${line}\n`),
    })
    if (args.flag('json')) printJson(environment, built)
    else {
      environment.stdout(`${built.path}, ${sizeText(built.size)}\nsha256 ${built.sha256}\n`)
    }
    return 0
  },
}
