import type { UnitRow, UnitsAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { type Column, machineText, printJson, printTable } from '../table.ts'

const columns: readonly Column<UnitRow>[] = [
  { name: 'unit', cell: ({ name }) => name },
  {
    name: 'machine',
    cell: ({ machine, machineAddress }, full) => machineText(machine, machineAddress, full),
  },
  { name: 'load', isExtra: true, cell: ({ load }) => load ?? '' },
  { name: 'active', cell: ({ active }) => active },
  { name: 'sub', cell: ({ sub }) => sub },
  { name: 'host', cell: ({ machineName }) => machineName ?? '' },
  { name: 'restarts', isExtra: true, cell: ({ restarts }) => String(restarts) },
  { name: 'hash', isExtra: true, cell: ({ hash }, full) => (full ? hash : hash.slice(0, 7)) },
  { name: 'image', isExtra: true, cell: ({ image }) => image ?? '' },
  { name: 'digest', isExtra: true, cell: ({ imageDigest }, full) => digestText(imageDigest, full) },
  { name: 'message', isExtra: true, cell: ({ message }) => message },
]

const digestText = (digest: string | undefined, full: boolean): string =>
  full ? (digest ?? '') : (digest ?? '').replace('sha256:', '').slice(0, 12)

/** What runs where, and of which file and which image: two machines may differ in either. */
const versionFields = 'unit,machine,active,hash,image,digest'

const none = 'no unit is loaded or launched: jangada start FILE, or jangada unit-files for all'

export const command: Command = {
  synopsis: 'units',
  about:
    'Lists the units that are loaded or launched, the machine of each, and its state there in\n' +
    "systemd's words. `unit-files` lists the others too.",
  words: { min: 0, max: 0 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    versions: { type: 'boolean', describe: `Which version runs: ${versionFields}` },
  },
  examples: [
    ['units --fields=unit,host,active', 'chosen columns'],
    ['units --versions', 'the unit file and the image that each machine runs'],
  ],
  run: async (args, environment) => {
    const answer = await openNode(args, environment).get<UnitsAnswer>('/v1/units')
    const units = answer.units.filter(
      ({ desired, machine }) => desired !== 'inactive' || machine !== null,
    )
    if (args.flag('json')) printJson(environment, { ...answer, units })
    else {
      const fields = args.flag('versions') ? versionFields : undefined
      printTable(environment, args, columns, units, { none, fields })
    }
    return 0
  },
}
