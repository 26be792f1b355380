import type { EventsAnswer, PublicEvent } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { agoText, type Column, printJson, printTable } from '../table.ts'

export const command: Command = {
  synopsis: 'events',
  about: 'What happened in the cluster lately, oldest first.',
  words: { min: 0, max: 0 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    lines: {
      alias: 'n',
      type: 'number',
      requiresArg: true,
      default: 50,
      describe: 'How many, at most 1000',
    },
  },
  examples: [['events -n 200', 'the last two hundred']],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const answer = await node.get<EventsAnswer>(`/v1/events?limit=${args.number('lines') ?? 50}`)
    const nowMs = environment.wallMs()
    const columns: readonly Column<PublicEvent>[] = [
      { name: 'when', cell: ({ atMs }) => agoText(atMs, nowMs) },
      { name: 'severity', cell: ({ severity }) => severity },
      { name: 'what', cell: ({ message }) => message },
      { name: 'kind', isExtra: true, cell: ({ kind }) => kind },
      { name: 'code', isExtra: true, cell: ({ code }) => code },
    ]
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.events)
    return 0
  },
}
