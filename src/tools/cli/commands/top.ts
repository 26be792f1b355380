import type { UsageAnswer, UsageRow } from '../../../node/api/operation-answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode, segment } from '../node-client.ts'
import { type Column, printJson, printTable, sizeText } from '../table.ts'

const columns: readonly Column<UsageRow>[] = [
  { name: 'unit', cell: ({ unit }) => unit },
  { name: 'machine', cell: ({ machineName }) => machineName },
  { name: 'cpus', cell: ({ used }) => used.cpus.toFixed(2) },
  {
    name: 'reserved-cpus',
    isExtra: true,
    cell: ({ reserved }) => (reserved.cpus === 0 ? '' : reserved.cpus.toFixed(2)),
  },
  { name: 'memory', cell: ({ used }) => sizeText(used.memoryBytes) },
  {
    name: 'reserved',
    cell: ({ reserved }) => (reserved.memoryBytes === 0 ? '' : sizeText(reserved.memoryBytes)),
  },
]

export const command: Command = {
  synopsis: 'top [MACHINE]',
  about:
    'What units use at this moment, beside what they reserve: processors over the last second, and\n' +
    'memory as their engines have it; the most memory first. Machines that do not answer are named.',
  words: { min: 0, max: 1 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [
    ['top', 'of all machines'],
    ['top n2 --full', 'of one, with the processors that are reserved'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const [machine] = args.words
    const query = machine === undefined ? '' : `?machine=${segment(machine)}`
    const answer = await node.get<UsageAnswer>(`/v1/usage${query}`)
    if (args.flag('json')) {
      printJson(environment, answer)
      return 0
    }
    const rows = answer.units.toSorted((a, b) => b.used.memoryBytes - a.used.memoryBytes)
    printTable(environment, args, columns, rows)
    if (answer.silent.length > 0) {
      environment.stderr(`no answer from ${answer.silent.join(', ')}\n`)
    }
    return answer.silent.length > 0 ? 1 : 0
  },
}
