import type { QuorumAnswer, QuorumRow } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions, usage } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, printJson, printTable } from '../table.ts'

const seconds = (ms: number | null): string =>
  ms === null ? '?' : ms === 0 ? '' : `${(ms / 1000).toFixed(1)}s`

const columns: readonly Column<QuorumRow>[] = [
  { name: 'member', cell: ({ id }) => String(id) },
  { name: 'name', cell: ({ name }) => name },
  { name: 'role', cell: ({ role }) => role },
  { name: 'leader', cell: ({ isLeader }) => (isLeader ? 'leader' : '') },
  { name: 'silent', cell: ({ silentMs }) => seconds(silentMs) },
  { name: 'behind', cell: ({ behindMs }) => seconds(behindMs) },
  { name: 'entries', isExtra: true, cell: ({ behindEntries }) => String(behindEntries ?? '?') },
]

export const command: Command = {
  synopsis: 'quorum [--voters 1|3|5|7] [--volatile]',
  about:
    'Says in words how safe the vote is: how many voters there are, how many may be lost, and who\n' +
    'does not keep up. With --voters it asks for another number of them, which the cluster holds as\n' +
    'far as it has machines that may vote: 3 may lose 1, 5 may lose 2, 7 may lose 3. With --full it\n' +
    'lists the members. It ends with 1 while writes wait.\n\n' +
    'With --volatile, machines that were let in as voters and keep their state in memory may vote,\n' +
    'after those with disks. Any minority of them may lose power: a machine that forgot never votes\n' +
    'as the one it was. If a majority loses power at once, all that the cluster knew is lost.\n' +
    '--no-volatile takes that back; who votes already goes on to, until a disk is there.',
  words: { min: 0, max: 0 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    voters: { type: 'number', requiresArg: true, describe: 'Hold so many: 1, 3, 5 or 7' },
    volatile: { type: 'boolean', describe: 'Machines without a disk may vote; --no-volatile' },
  },
  examples: [
    ['quorum', '3 voters, can lose 1; n2 is 1.2 s behind'],
    ['quorum --voters 5', 'once there are five machines with disks'],
  ],
  run: async (args, environment) => {
    const voters = args.number('voters')
    if (voters !== undefined && ![1, 3, 5, 7].includes(voters)) {
      throw usage(
        '--voters is 1, 3, 5 or 7',
        'four may lose one, as three may: an even number gains nothing',
      )
    }
    const volatile = args.choice('volatile')
    const node = openNode(args, environment)
    const answer =
      voters === undefined && volatile === undefined
        ? await node.get<QuorumAnswer>('/v1/quorum')
        : await node.call<QuorumAnswer>('PATCH', '/v1/quorum', { voters, volatile })
    if (args.flag('json')) printJson(environment, answer)
    else {
      environment.stdout(`${answer.words}\n`)
      if (answer.voters !== answer.asked) environment.stdout(`${answer.asked} are asked for\n`)
      if (answer.waiting !== '') environment.stdout(`${answer.waiting}\n`)
      if (args.flag('full')) printTable(environment, args, columns, answer.members)
    }
    return answer.canLose === null || answer.canLose < 0 ? 1 : 0
  },
}
