import type { PlanAnswer, PlanRow } from '../../../node/api/answers.ts'
import { anyNumber, type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, machineText, printJson, printTable } from '../table.ts'
import { replaceOption, wantedUnits } from '../unit-changes.ts'

const columns: readonly Column<PlanRow>[] = [
  { name: 'unit', cell: ({ unit }) => unit },
  { name: 'change', cell: ({ change }) => change },
  {
    name: 'machine',
    cell: ({ machine, machineAddress }, full) => machineText(machine, machineAddress, full),
  },
  { name: 'host', cell: ({ machineName }) => machineName ?? '' },
  { name: 'from', cell: ({ from }) => from ?? '' },
  { name: 'reason', cell: ({ reason }) => reason },
]

export const command: Command = {
  synopsis: 'plan NAME|FILE…',
  about:
    'Says what would come of starting units: which machine each would get, what would move or stop\n' +
    'for it, and what could not run, and why. Changes nothing. Exits with 1 when something could not.',
  words: { min: 1, max: anyNumber },
  options: { ...nodeOptions, ...tableOptions, ...replaceOption },
  examples: [
    ['plan web.service ./hello@{1..6}.service', 'before they are started'],
    ['plan web.service --replace', 'with the new file in place of the old'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    const wanted = await wantedUnits(environment, args.words)
    const answer = await node.call<PlanAnswer>('POST', '/v1/plan', {
      units: wanted.map(({ name, file }) => ({ name, ...(file === undefined ? {} : { file }) })),
      ...(args.flag('replace') ? { replace: true } : {}),
    })
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.rows, { none: 'nothing would change' })
    const names = new Set(wanted.map(({ name }) => name))
    const cannot = answer.rows.some(
      ({ unit, change }) => change === 'refused' || (change === 'wait' && names.has(unit)),
    )
    return cannot ? 1 : 0
  },
}
