import type { KvCasAnswer } from '../../../node/api/kv-answers.ts'
import { type Arguments, type Command, nodeOptions, usage } from '../command.ts'
import { encodingOf, valueOptions, valueText } from '../kv.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'kv cas KEY [VALUE]',
  about:
    'Writes VALUE only if the key still is as expected; --delete deletes it instead. Exit code 1\n' +
    'when it was not, with what stands there.',
  words: { min: 1, max: 2 },
  options: {
    ...nodeOptions,
    ...valueOptions,
    expect: { type: 'string', requiresArg: true, describe: 'The value that it should have' },
    absent: { type: 'boolean', describe: 'There should be no such key' },
    revision: {
      type: 'number',
      requiresArg: true,
      describe: 'The revision that should have written it last',
    },
    delete: { type: 'boolean', describe: 'Delete the key instead of writing VALUE' },
  },
  examples: [
    ['kv cas app/leader n1 --absent', 'only the first one gets it'],
    ['kv cas app/count 8 --expect 7', ''],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const answer = await node.call<KvCasAnswer>('POST', '/v1/kv/cas', bodyOf(args))
    if (args.flag('json')) printJson(environment, answer)
    else if (answer.succeeded) environment.stdout(`revision ${answer.revision}\n`)
    else {
      const { item } = answer
      const is = item === null ? 'not there' : `${valueText(item)} (revision ${item.modRevision})`
      environment.stderr(`jangada: not written: ${args.words[0] ?? ''} is ${is}\n`)
    }
    return answer.succeeded ? 0 : 1
  },
}

function bodyOf(args: Arguments): unknown {
  const [key = '', value] = args.words
  if ((value === undefined) !== args.flag('delete')) throw usage('give VALUE, or --delete')
  const expect = args.text('expect')
  const modRevision = args.number('revision')
  const ways = [expect !== undefined, args.flag('absent'), modRevision !== undefined]
  if (ways.filter(Boolean).length !== 1) {
    throw usage('say what is expected: --expect VALUE, --absent or --revision N')
  }
  const lease = args.text('lease')
  const { encoding } = encodingOf(args)
  return {
    key,
    value: value ?? null,
    ...(modRevision === undefined ? { expected: expect ?? null } : { modRevision }),
    ...(encoding === undefined ? {} : { encoding, expectedEncoding: encoding }),
    ...(lease === undefined ? {} : { lease }),
  }
}
