import { utf8 } from '../../../base/bytes.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { printJson } from '../table.ts'
import { fullNames } from '../unit-names.ts'

const linesMax = 10_000
/** UTF-16 units of a line that has not ended; a longer one is printed in pieces. */
const lineLengthMax = 1024 * 1024

export const command: Command = {
  synopsis: 'logs NAME',
  about:
    "Prints a unit's output, from whichever machine it runs on. With --follow it goes on until\n" +
    'the container ends or Ctrl-C. --json is one object, or with --follow one for each line.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    follow: { alias: 'f', type: 'boolean', describe: 'Go on with what comes' },
    lines: {
      alias: 'n',
      type: 'number',
      requiresArg: true,
      default: 10,
      describe: `Lines from the end to begin with, at most ${linesMax}`,
    },
    machine: {
      type: 'string',
      requiresArg: true,
      describe: 'Which machine, for a unit that is on several: its id or name',
    },
  },
  examples: [
    ['logs -f hello@1', 'follow an instance'],
    ['logs -n 100 node-agent --machine n2', 'a global unit on one machine'],
  ],
  run: async (args, environment) => {
    const lines = args.number('lines') ?? 10
    if (!Number.isSafeInteger(lines) || lines < 0 || lines > linesMax) {
      throw usage(`--lines is a whole number from 0 to ${linesMax}`)
    }
    const node = openNode(args, environment)
    const [name = ''] = fullNames(args.words)
    const machine = args.text('machine')
    const query = [
      `tail=${lines}`,
      ...(args.flag('follow') ? ['follow=1'] : []),
      ...(machine === undefined ? [] : [`machine=${segment(machine)}`]),
    ]
    const chunks = await node.stream(`/v1/units/${segment(name)}/logs?${query.join('&')}`)
    try {
      if (!args.flag('json')) {
        for await (const chunk of chunks) await environment.stdoutBytes(chunk)
      } else if (args.flag('follow')) {
        for await (const line of linesOf(chunks)) {
          await environment.stdoutBytes(utf8(`${JSON.stringify({ unit: name, line })}\n`))
        }
      } else {
        let output = ''
        for await (const text of textOf(chunks)) output += text
        printJson(environment, { unit: name, output })
      }
    } catch (error) {
      // Ctrl-C is how a follower says that it has seen enough.
      if (!environment.signal.aborted) throw error
    }
    return 0
  },
}

async function* textOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true })
  yield decoder.decode()
}

/** Whole lines without their ends, each as soon as it has ended. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = ''
  for await (const text of textOf(chunks)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
    if (rest.length > lineLengthMax) {
      yield rest
      rest = ''
    }
  }
  if (rest !== '') yield rest
}
