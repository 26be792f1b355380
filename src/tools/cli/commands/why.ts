import type { WhyAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { type Column, machineText, printJson, printTable } from '../table.ts'
import { fullNames } from '../unit-names.ts'

type Row = WhyAnswer['machines'][number]

const columns: readonly Column<Row>[] = [
  { name: 'machine', cell: ({ id, address }, full) => machineText(id, address, full) },
  { name: 'name', cell: ({ name }) => name },
  { name: 'verdict', cell: ({ verdict }) => verdict },
  { name: 'reason', cell: ({ reason }) => reason },
]

export const command: Command = {
  synopsis: 'why NAME',
  about:
    'Says for each machine why it may or may not run the unit, in the order in which the cluster\n' +
    'would try them. The reasons are those of the scheduler itself.',
  words: { min: 1, max: 1 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [['why web', 'which rule keeps web.service from which machine']],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const [name = ''] = fullNames(args.words)
    const answer = await node.get<WhyAnswer>(`/v1/units/${segment(name)}/why`)
    if (args.flag('json')) {
      printJson(environment, answer)
      return 0
    }
    if (answer.desired === 'inactive') {
      environment.stderr(`${name} is inactive, so it is placed nowhere: jangada start ${name}\n`)
    }
    if (answer.machines.length === 0)
      environment.stderr('there is no machine in this cluster yet\n')
    printTable(environment, args, columns, answer.machines)
    return 0
  },
}
