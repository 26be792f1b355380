import { type Command, nodeOptions } from '../command.ts'
import { machineConfig, machineOptions } from '../machine-options.ts'
import { stateLines } from '../state-text.ts'
import { printJson } from '../table.ts'

const { json } = nodeOptions

export const command: Command = {
  synopsis: 'snapshot restore FILE',
  about:
    'Makes a new cluster, with an id, a CA and keys of its own, whose first machine this is, as\n' +
    '"jangada init" does, and which begins with the state in FILE: units, keys, bindings, events and\n' +
    'settings. The old machines, their placements and the tokens are left out: machines join again,\n' +
    'and units are placed anew as soon as the cluster is up. If the old cluster still runs, stop its\n' +
    'machines first, or both run the same units.',
  words: { min: 1, max: 1 },
  options: { ...(json === undefined ? {} : { json }), ...machineOptions },
  examples: [['snapshot restore monday.snapshot --name n1', 'then jangada up']],
  run: async (args, environment) => {
    const [path = ''] = args.words
    const { restore } = await environment.offline()
    const made = await restore(path, machineConfig(args, environment))
    if (args.flag('json')) {
      printJson(environment, made)
      return 0
    }
    const leftOut = Object.entries(made.leftOut).map(([name, count]) => `${count} ${name}`)
    environment.stdout(
      [
        `cluster ${made.clusterId}, with the state of`,
        ...stateLines(made.from),
        `left out: ${leftOut.join(', ')}`,
        `machine ${made.machineId}`,
        `admin token, shown this once: ${made.adminToken}`,
        'next: jangada up; then jangada token --voter here, for the others',
        '',
      ].join('\n'),
    )
    return 0
  },
}
