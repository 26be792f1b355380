import type { KvDeleteAnswer } from '../../../node/api/kv-answers.ts'
import { type Command, nodeOptions } from '../command.ts'
import { queryOf } from '../kv.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'kv del KEY',
  about:
    'Deletes a key, or with --prefix every key that begins like it: at most 5,000 at once. To\n' +
    'delete what is not there is no error.',
  words: { min: 1, max: 1 },
  options: {
    ...nodeOptions,
    prefix: { type: 'boolean', describe: 'KEY is a prefix' },
  },
  examples: [
    ['kv del app/db', ''],
    ['kv del --prefix app/', ''],
  ],
  run: async (args, environment) => {
    const [word = ''] = args.words
    const query = queryOf(args.flag('prefix') ? { prefix: word } : { key: word })
    const node = openNode(args, environment)
    const answer = await node.call<KvDeleteAnswer>('DELETE', `/v1/kv${query}`)
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`${answer.deleted} deleted\n`)
    return 0
  },
}
