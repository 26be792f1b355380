import type { KvTxnAnswer } from '../../../node/api/kv-answers.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { valueText } from '../kv.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'kv txn FILE',
  about:
    'Carries out a transaction, written as JSON in FILE (- is standard input): if every compare\n' +
    'holds, all of `then`, otherwise all of `else`, at one revision. Exit code 1 when a compare\n' +
    'did not hold.\n\n' +
    '  {"compare": [{"key": "a", "target": "value", "is": "=", "to": "1"}],\n' +
    '   "then": [{"op": "put", "key": "a", "value": "2"}, {"op": "delete", "prefix": "tmp/"}],\n' +
    '   "else": [{"op": "get", "key": "a"}]}\n\n' +
    'Targets: value, version, createRevision, modRevision. An absent key has version 0, and its\n' +
    'value is null. At most 512 operations and 1.5 MiB.',
  words: { min: 1, max: 1 },
  options: nodeOptions,
  examples: [['kv txn move.json', '']],
  run: async (args, environment) => {
    const [file = ''] = args.words
    const text = await environment.readFile(file === '-' ? '/dev/stdin' : file)
    if (text === undefined) throw usage(`there is no file ${file}`)
    const node = openNode(args, environment)
    const answer = await node.call<KvTxnAnswer>('POST', '/v1/kv/txn', parse(file, text))
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(linesOf(answer))
    return answer.succeeded ? 0 : 1
  },
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw usage(`${file} is not JSON: ${String(error)}`)
  }
}

function linesOf({ succeeded, revision, results }: KvTxnAnswer): string {
  const lines = results.flatMap((result) => {
    switch (result.op) {
      case 'put':
        return ['put']
      case 'delete':
        return [`deleted ${result.deleted}`]
      default:
        return result.items.map((item) => `${item.key} = ${valueText(item)}`)
    }
  })
  const head = succeeded ? 'every compare held' : 'a compare did not hold'
  return `${[`${head}; revision ${revision}`, ...lines].join('\n')}\n`
}
