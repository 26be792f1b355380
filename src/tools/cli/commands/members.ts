import type { MemberDetails, MembersAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, idText, printJson, printTable } from '../table.ts'

const wishes = { auto: '', voter: 'voter', client: 'client' } as const

const columns: readonly Column<MemberDetails>[] = [
  { name: 'member', cell: ({ id }) => String(id) },
  { name: 'machine', cell: ({ machineId }, full) => idText(machineId, full) },
  { name: 'name', cell: ({ name }) => name },
  { name: 'role', cell: ({ role }) => role },
  { name: 'leader', cell: ({ isLeader }) => (isLeader ? 'leader' : '') },
  { name: 'status', cell: ({ status }) => status },
  { name: 'pinned', cell: ({ wish }) => wishes[wish] },
  { name: 'address', isExtra: true, cell: ({ address }) => address },
]

export const command: Command = {
  synopsis: 'members',
  about:
    'Lists the members of the consensus group. Voters decide; a learner holds the same log, and\n' +
    'stands by to vote. The cluster holds their number by itself: `members promote`, `demote` and\n' +
    '`pin` say what it should not choose freely.',
  words: { min: 0, max: 0 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [
    ['members', 'who votes'],
    ['quorum', 'how many may be lost'],
  ],
  run: async (args, environment) => {
    const answer = await openNode(args, environment).get<MembersAnswer>('/v1/members')
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.members)
    return 0
  },
}
