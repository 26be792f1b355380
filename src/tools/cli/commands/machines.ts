import type { MachineDetails, MachinesAnswer, PendingMachine } from '../../../node/api/answers.ts'
import { type Arguments, type Command, nodeOptions, tableOptions } from '../command.ts'
import type { CliEnvironment } from '../environment.ts'
import { type NodeClient, openNode } from '../node-client.ts'
import {
  agoText,
  type Column,
  idText,
  metadataText,
  printJson,
  printTable,
  sizeText,
} from '../table.ts'

const columns: readonly Column<MachineDetails>[] = [
  { name: 'machine', cell: ({ id }, full) => idText(id, full) },
  { name: 'ip', cell: ({ address }) => address },
  { name: 'metadata', cell: ({ metadata }) => metadataText(metadata) },
  { name: 'name', cell: ({ name }) => name },
  {
    name: 'status',
    cell: ({ status, drain }) => (drain === null ? status : `${status}, drains`),
  },
  { name: 'role', isExtra: true, cell: ({ role }) => role },
  { name: 'units', isExtra: true, cell: ({ units }) => String(units) },
  {
    name: 'cpus',
    isExtra: true,
    cell: ({ reserved, capacity }) => shareOf(reserved.cpus, capacity.cpus),
  },
  {
    name: 'memory',
    isExtra: true,
    cell: ({ reserved, capacity }) =>
      `${sizeText(reserved.memoryBytes)}/${sizeText(capacity.memoryBytes)}`,
  },
  { name: 'version', isExtra: true, cell: ({ version }) => version },
]

const shareOf = (reserved: number, of: number): string =>
  `${Number(reserved.toFixed(2))}/${Number(of.toFixed(2))}`

export const command: Command = {
  synopsis: 'machines',
  about:
    'Lists the machines of the cluster; --full tells what units reserve there, and of how much.\n' +
    'With --pending: those that wait to be let in, with the hash of the key that each shows;\n' +
    'compare it with what is on its console, then `admit` it.',
  words: { min: 0, max: 0 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    pending: { type: 'boolean', describe: 'Those that wait to be admitted' },
  },
  examples: [
    ['machines --full', 'every column'],
    ['machines --pending', 'who waits'],
  ],
  run: async (args, environment) => {
    const node = openNode(args, environment)
    if (args.flag('pending')) return pending(args, environment, node)
    const answer = await node.get<MachinesAnswer>('/v1/machines')
    if (args.flag('json')) printJson(environment, answer)
    else printTable(environment, args, columns, answer.machines)
    return 0
  },
}

async function pending(
  args: Arguments,
  environment: CliEnvironment,
  node: NodeClient,
): Promise<number> {
  const answer = await node.get<{ machines: readonly PendingMachine[] }>('/v1/machines/pending')
  const nowMs = environment.wallMs()
  const waiting: readonly Column<PendingMachine>[] = [
    { name: 'machine', cell: ({ id }, full) => idText(id, full) },
    { name: 'ip', cell: ({ address }) => address },
    { name: 'name', cell: ({ name }) => name },
    { name: 'mac', cell: ({ macs }) => macs.join(',') },
    { name: 'asked', cell: ({ askedMs }) => agoText(askedMs, nowMs) },
    { name: 'key', cell: ({ keyHash }, full) => (full ? keyHash : keyHash.slice(0, 16)) },
    { name: 'uuid', isExtra: true, cell: ({ uuid }) => uuid },
    {
      name: 'note',
      isExtra: true,
      cell: ({ isReplacement }) => (isReplacement ? 'known, with another key' : 'new'),
    },
  ]
  if (args.flag('json')) printJson(environment, answer)
  else
    printTable(environment, args, waiting, answer.machines, { none: 'nobody waits to be admitted' })
  return 0
}
