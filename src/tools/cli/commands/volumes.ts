import type { VolumeRow, VolumesAnswer } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, tableOptions } from '../command.ts'
import { openNode } from '../node-client.ts'
import { agoText, type Column, idText, printJson, printTable } from '../table.ts'

export const command: Command = {
  synopsis: 'volumes',
  about:
    'Lists named volumes. A unit that uses one runs where the volume is, and nowhere else: while that\n' +
    'machine is lost it waits. Volumes of the network (NFS) are on no machine, and are not listed.',
  words: { min: 0, max: 0 },
  options: { ...nodeOptions, ...tableOptions },
  examples: [['volumes', 'what is on which machine']],
  run: async (args, environment) => {
    const answer = await openNode(args, environment).get<VolumesAnswer>('/v1/volumes')
    const nowMs = environment.wallMs()
    const columns: readonly Column<VolumeRow>[] = [
      { name: 'volume', cell: ({ name }) => name },
      {
        name: 'machine',
        cell: ({ machine, machineName }, full) => machineName ?? idText(machine, full),
      },
      { name: 'status', cell: ({ status }) => status },
      { name: 'driver', cell: ({ driver }) => driver },
      { name: 'units', cell: ({ units }) => units.join(' ') },
      { name: 'since', cell: ({ sinceMs }) => agoText(sinceMs, nowMs) },
    ]
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.volumes)
    return 0
  },
}
