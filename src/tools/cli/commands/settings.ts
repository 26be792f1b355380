import type { SettingsAnswer } from '../../../node/api/operation-answers.ts'
import { anyNumber, type Command, nodeOptions, tableOptions, usage } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, printJson, printTable } from '../table.ts'

type Row = SettingsAnswer['settings'][number]

const columns: readonly Column<Row>[] = [
  { name: 'name', cell: ({ name }) => name },
  { name: 'value', cell: ({ value }) => value },
  { name: 'default', cell: ({ isDefault }) => (isDefault ? 'yes' : 'no') },
  { name: 'values', isExtra: true, cell: ({ values }) => values },
  { name: 'about', cell: ({ about }) => about },
]

export const command: Command = {
  synopsis: 'settings [NAME=VALUE…]',
  about:
    'Lists what may be set for the whole cluster, or sets it. `NAME=` goes back to the default. It\n' +
    'holds from the next moment on, on every machine. How many vote is set with `quorum`, how much\n' +
    'the store may hold with `kv quota`.',
  words: { min: 0, max: anyNumber },
  options: { ...nodeOptions, ...tableOptions },
  examples: [
    ['settings', 'what is set'],
    ['settings replacements-per-second=100', 'when many machines are lost at once'],
  ],
  run: async (args, environment) => {
    const changes = args.words.map((word): [string, string] => {
      const equals = word.indexOf('=')
      if (equals < 1) throw usage(`${word}: write NAME=VALUE`, 'jangada settings lists the names')
      return [word.slice(0, equals), word.slice(equals + 1)]
    })
    const node = openNode(args, environment)
    const answer =
      changes.length === 0
        ? await node.get<SettingsAnswer>('/v1/settings')
        : await node.call<SettingsAnswer>('PATCH', '/v1/settings', {
            settings: Object.fromEntries(changes),
          })
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.settings)
    return 0
  },
}
