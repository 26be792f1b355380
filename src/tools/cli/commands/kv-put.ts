import type { KvPutAnswer } from '../../../node/api/kv-answers.ts'
import { type Arguments, type Command, nodeOptions, usage } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { encodingOf, queryOf, valueOptions } from '../kv.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'kv put KEY [VALUE]',
  about:
    'Writes a value, new or over an old one. It is durable on a majority of the voters when this\n' +
    'returns. JGD_OUTCOME_UNKNOWN means that it may or may not have been written: read first.\n' +
    'A value has at most 1 MiB.',
  words: { min: 1, max: 2 },
  options: {
    ...nodeOptions,
    ...valueOptions,
    file: { type: 'string', requiresArg: true, describe: 'The value is what this file holds' },
  },
  examples: [
    ['kv put app/db 10.0.0.7', ''],
    ['kv put app/logo --file logo.png', 'any bytes'],
    ['kv put app/leader n1 --lease 1f0c…', 'gone when the lease ends'],
  ],
  run: async (args, environment) => {
    const answer = await write(args, environment)
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`revision ${answer.revision}\n`)
    return 0
  },
}

async function write(args: Arguments, environment: CliEnvironment): Promise<KvPutAnswer> {
  const [key = '', value] = args.words
  const file = args.text('file')
  const lease = args.text('lease')
  if ((value === undefined) === (file === undefined)) {
    throw usage('give VALUE, or --file PATH', 'jangada kv put --help')
  }
  const node = openNode(args, environment)
  if (file !== undefined) {
    const { chunks } = await environment.openFile(file)
    return node.upload<KvPutAnswer>(`/v1/kv${queryOf({ key, lease })}`, chunks, 'PUT')
  }
  const body = { value, ...encodingOf(args), ...(lease === undefined ? {} : { lease }) }
  return node.call<KvPutAnswer>('PUT', `/v1/kv${queryOf({ key })}`, body)
}
