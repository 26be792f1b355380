import { type ErrorBody, isJangadaError, JangadaError } from '../../../base/errors.ts'
import type { KvChange, KvEvent, KvProgress } from '../../../node/api/kv-answers.ts'
import { type Arguments, type Command, nodeOptions } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { queryOf, valueText, wholeNumber } from '../kv.ts'
import { openNode } from '../node-client.ts'
import { readEvents } from '../server-sent-events.ts'

const retryMs = 500

export const command: Command = {
  synopsis: 'kv watch KEY',
  about:
    'Prints each change of a key, or with --prefix of every key that begins like it, until Ctrl-C:\n' +
    'a line `REVISION put KEY VALUE` or `REVISION delete KEY`. When the node goes away the watch\n' +
    'goes on where it was, without gap or duplicate, as soon as one answers there again. History\n' +
    'is kept for about ten minutes: beyond it the watch ends with JGD_COMPACTED.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    prefix: { type: 'boolean', describe: 'KEY is a prefix; "" is every key' },
    revision: {
      type: 'number',
      requiresArg: true,
      describe: 'Begin with the changes of this revision, not with the next one',
    },
  },
  examples: [
    ['kv watch --prefix app/', ''],
    ['kv watch app/db --revision 120 --json', 'one JSON object a line'],
  ],
  run: async (args, environment) => {
    let revision = wholeNumber(args, 'revision')
    let isAway = false
    while (!environment.signal.aborted) {
      try {
        for await (const reached of changes(args, environment, revision)) {
          revision = reached + 1
          isAway = false
        }
      } catch (error) {
        if (environment.signal.aborted) return 0
        // Before the first word there is nothing to go on from: the address may be wrong.
        const mayComeBack = revision !== undefined && isJangadaError(error, 'JGD_UNREACHABLE')
        if (!mayComeBack && !isPassing(error)) throw error
        if (!isAway) environment.stderr('jangada: the node does not answer; trying again\n')
        isAway = true
      }
      if (!environment.signal.aborted) await environment.sleep(retryMs)
    }
    return 0
  },
}

/** Another try may do better. */
const isPassing = (error: unknown): boolean =>
  isJangadaError(error, 'JGD_NO_QUORUM') || isJangadaError(error, 'JGD_SHUTTING_DOWN')

/** Prints what it is told, and yields the revisions up to which everything was told. */
async function* changes(
  args: Arguments,
  environment: CliEnvironment,
  revision: number | undefined,
): AsyncGenerator<number> {
  const [word = ''] = args.words
  const range = args.flag('prefix') ? { prefix: word } : { key: word }
  const path = `/v1/kv/watch${queryOf({ ...range, revision })}`
  const chunks = await openNode(args, environment).stream(path)
  for await (const { event, data } of readEvents(chunks)) {
    const value: unknown = JSON.parse(data)
    if (event === 'error') throw JangadaError.fromBody(value as ErrorBody)
    if (event === 'change') print(value as KvChange, args.flag('json'), environment)
    yield (value as KvProgress).revision
  }
}

function print({ revision, events }: KvChange, asJson: boolean, environment: CliEnvironment): void {
  const line = (event: KvEvent): string => {
    if (asJson) return JSON.stringify({ revision, ...event })
    if (event.kind === 'delete') return `${revision} delete ${event.key}`
    return `${revision} put ${event.item.key} ${valueText(event.item)}`
  }
  environment.stdout(events.map((event) => `${line(event)}\n`).join(''))
}
