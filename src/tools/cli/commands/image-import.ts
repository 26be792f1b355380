import { isJangadaError } from '../../../base/errors.ts'
import type { ImageRow } from '../../../node/api/answers.ts'
import { type Arguments, type Command, nodeOptions, usage } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { openNode } from '../node-client.ts'
import { printJson, sizeText } from '../table.ts'

/** A line of progress for every twentieth of the file. */
const progressSteps = 20

export const command: Command = {
  synopsis: 'image import FILE --sha256 HASH',
  about:
    'Gives a system image to this machine, which keeps it only if it has the given SHA-256. A node\n' +
    'that is up takes it; otherwise it waits in the state directory for "jangada up". Take the\n' +
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
    'state-dir': {
      type: 'string',
      requiresArg: true,
      describe: 'Where to keep it when no node is up here (/var/lib/jangada)',
    },
  },
  examples: [['image import jangada-image.tar.zst --sha256 9f86…', 'then jangada up --link eth0']],
  run: async (args, environment) => {
    const [path = ''] = args.words
    const sha256 = (args.text('sha256') ?? '').toLowerCase()
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw usage('--sha256 is 64 hex digits')
    const image = await importOf(args, environment, path, sha256)
    if (args.flag('json')) printJson(environment, image)
    else {
      environment.stdout(`Image ${image.name} (${image.version}, kernel ${image.kernel}) is here\n`)
    }
    return 0
  },
}

/** A machine whose node is not up yet keeps the image for when it is. */
async function importOf(
  args: Arguments,
  environment: CliEnvironment,
  path: string,
  sha256: string,
): Promise<ImageRow> {
  const open = async (): Promise<AsyncIterable<Uint8Array>> => {
    const file = await environment.openFile(path)
    return withProgress(environment, args.flag('json'), file.chunks, file.bytes)
  }
  try {
    const node = openNode(args, environment)
    return await node.upload<ImageRow>(`/v1/images?sha256=${sha256}`, await open())
  } catch (error) {
    const isElsewhere = args.text('endpoint') !== undefined
    if (!isJangadaError(error, 'JGD_UNREACHABLE') || isElsewhere) throw error
    const directory = args.text('state-dir') ?? environment.defaults.stateDirectory
    environment.stderr(`no node is up here; the image goes into ${directory}\n`)
    return environment.importImage(directory, await open(), sha256)
  }
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
