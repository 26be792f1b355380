import type { ImageRow } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { openNode } from '../node-client.ts'
import { printJson, sizeText } from '../table.ts'

/** A line of progress for every twentieth of the file. */
const progressSteps = 20

export const command: Command = {
  synopsis: 'image import FILE --sha256 HASH',
  about:
    'Sends a system image to the node, which keeps it only if it has the given SHA-256. Take the\n' +
    'hash from where the image comes from: computed from the file itself it proves nothing.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    sha256: {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'Of the whole file',
    },
  },
  examples: [['image import jangada-image.tar.zst --sha256 9f86…', 'then jangada up --link eth0']],
  run: async (args, environment) => {
    const [path = ''] = args.words
    const sha256 = (args.text('sha256') ?? '').toLowerCase()
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw usage('--sha256 is 64 hex digits')
    const file = await environment.openFile(path)
    const chunks = withProgress(environment, args.flag('json'), file.chunks, file.bytes)
    const node = openNode(args, environment)
    const image = await node.upload<ImageRow>(`/v1/images?sha256=${sha256}`, chunks)
    if (args.flag('json')) printJson(environment, image)
    else {
      environment.stdout(`Image ${image.name} (${image.version}, kernel ${image.kernel}) is here\n`)
    }
    return 0
  },
}

async function* withProgress(
  environment: CliEnvironment,
  isQuiet: boolean,
  chunks: AsyncIterable<Uint8Array>,
  total: number,
): AsyncGenerator<Uint8Array> {
  let done = 0
  let step = 0
  for await (const chunk of chunks) {
    yield chunk
    done += chunk.length
    const now = Math.floor((done / Math.max(1, total)) * progressSteps)
    if (now === step) continue
    step = now
    if (!isQuiet) environment.stderr(`sent ${sizeText(done)} of ${sizeText(total)}\n`)
  }
}
