import type { TokenRow } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { agoText, type Column, printJson, printTable } from '../table.ts'

export const command: Command = {
  synopsis: 'token ls',
  about: 'Lists tokens, without their secrets, which nobody has but who was given them.',
  words: { min: 0, max: 0 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const answer = await node.get<{ tokens: readonly TokenRow[] }>('/v1/tokens')
    const nowMs = environment.wallMs()
    const columns: readonly Column<TokenRow>[] = [
      { name: 'id', cell: ({ id }) => id },
      { name: 'scope', cell: ({ scope }) => scope },
      {
        name: 'ceiling',
        cell: ({ scope, roleCeiling }) => (scope === 'machine' ? roleCeiling : ''),
      },
      {
        name: 'uses',
        cell: ({ scope, usesLeft }) =>
          scope !== 'machine' ? '' : usesLeft === 0 ? 'used up' : String(usesLeft),
      },
      { name: 'made', cell: ({ createdMs }) => agoText(createdMs, nowMs) },
      {
        name: 'expires',
        cell: ({ expiresMs }) =>
          expiresMs <= nowMs ? 'expired' : agoText(nowMs, expiresMs).replace(' ago', ''),
      },
    ]
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.tokens)
    return 0
  },
}
