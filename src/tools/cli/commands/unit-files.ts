import type { UnitFileRow, UnitFilesAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, machineText, printJson, printTable } from '../table.ts'

const columns: readonly Column<UnitFileRow>[] = [
  { name: 'unit', cell: ({ name }) => name },
  { name: 'hash', cell: ({ hash }, full) => (full ? hash : hash.slice(0, 7)) },
  { name: 'dstate', cell: ({ desired }) => desired },
  { name: 'state', cell: ({ state, isGlobal }) => (isGlobal ? '-' : state) },
  { name: 'target', cell: targetText },
  { name: 'tmachine', isExtra: true, cell: targetText },
  { name: 'global', isExtra: true, cell: ({ isGlobal }) => String(isGlobal) },
  { name: 'desc', isExtra: true, cell: ({ description }) => description },
]

function targetText({ targets, isGlobal }: UnitFileRow, full: boolean): string {
  const [first] = targets
  if (isGlobal) return `${targets.length} machines`
  return machineText(first?.machine ?? null, first?.address, full)
}

export const command: Command = {
  synopsis: 'unit-files',
  about:
    'Lists every unit file of the cluster: what is wanted of it (DSTATE), what it has reached\n' +
    '(STATE) and the machine it is on (TARGET).',
  words: { min: 0, max: 0 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [['unit-files --no-legend --fields=unit', 'names only']],
  run: async (args, environment) => {
    const answer = await openNode(args, environment).get<UnitFilesAnswer>('/v1/unit-files')
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.unitFiles)
    return 0
  },
}
