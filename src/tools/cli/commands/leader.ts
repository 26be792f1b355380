import type { MemberRow, MembersAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, idText, printJson, printTable } from '../table.ts'

const columns: readonly Column<MemberRow>[] = [
  { name: 'member', cell: ({ id }) => String(id) },
  { name: 'machine', cell: ({ machineId }, full) => idText(machineId, full) },
  { name: 'name', cell: ({ name }) => name },
  { name: 'address', cell: ({ address }) => address },
  { name: 'role', cell: ({ role }) => role },
  { name: 'leader', cell: ({ isLeader }) => (isLeader ? 'leader' : '') },
]

export const command: Command = {
  synopsis: 'leader',
  about: 'Lists the members of the consensus group and shows which one leads.',
  words: { min: 0, max: 0 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [],
  run: async (args, environment) => {
    const answer = await openNode(args, environment).get<MembersAnswer>('/v1/members')
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.members)
    return 0
  },
}
