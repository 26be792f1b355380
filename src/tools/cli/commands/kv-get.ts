import { JangadaError } from '../../../base/errors.ts'
import type { KvGetAnswer } from '../../../node/api/kv-answers.ts'
import { type Command, nodeOptions } from '../command.ts'
import { bytesOf, queryOf, readHint, readOptions, readQuery, tellAge } from '../kv.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'kv get KEY',
  about:
    'Prints the value of a key, byte for byte. The read is linearizable: it sees every write that\n' +
    'was acknowledged before. Exit code 1 when there is no such key.',
  words: { min: 1, max: 1 },
  options: { ...nodeOptions, ...readOptions },
  examples: [
    ['kv get app/db', ''],
    ['kv get app/db --json', 'with its revisions and its lease'],
  ],
  run: async (args, environment) => {
    const [key = ''] = args.words
    const query = queryOf({ key, ...readQuery(args) })
    const answer = await openNode(args, environment)
      .get<KvGetAnswer>(`/v1/kv${query}`)
      .catch((error: unknown) => {
        throw readHint(error, args)
      })
    tellAge(environment, answer)
    const { item } = answer
    if (args.flag('json')) printJson(environment, answer)
    else if (item === null) {
      throw new JangadaError('JGD_NOT_FOUND', `there is no key ${key}`, { hint: 'jangada kv ls' })
    } else {
      const bytes = bytesOf(item)
      await environment.stdoutBytes(bytes)
      if (environment.isTty && bytes.at(-1) !== 10) environment.stdout('\n')
    }
    return item === null ? 1 : 0
  },
}
