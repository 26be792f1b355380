import { type Command, nodeOptions } from '../command.ts'
import type { Initialised } from '../environment.ts'
import { machineConfig, machineOptions } from '../machine-options.ts'
import { printJson } from '../table.ts'

const { json } = nodeOptions
const policies = ['sticky', 'approve', 'auto'] as const
const voterCounts = [1, 3, 5, 7] as const

export const command: Command = {
  synopsis: 'init',
  about:
    'Makes a new cluster, with its certificate authority, whose first machine this is. Only this\n' +
    'command makes a cluster. It prints the first admin token, this once; then run `jangada up`.',
  words: { min: 0, max: 0 },
  options: {
    ...(json === undefined ? {} : { json }),
    ...machineOptions,
    voters: {
      type: 'string',
      choices: voterCounts.map(String),
      requiresArg: true,
      default: '3',
      describe: 'How many voters to hold, as far as there are machines',
    },
    admission: {
      type: 'string',
      choices: policies,
      requiresArg: true,
      default: 'sticky',
      describe:
        'Blank machines: sticky (an operator admits once), approve (every time), auto (anyone on ' +
        'the boot link)',
    },
  },
  examples: [['init --name n1', 'then jangada up']],
  run: async (args, environment) => {
    const made = await environment.init({
      ...machineConfig(args, environment),
      voters: voterCounts.find((count) => String(count) === args.text('voters')) ?? 3,
      admission: policies.find((policy) => policy === args.text('admission')) ?? 'sticky',
    })
    if (args.flag('json')) printJson(environment, made)
    else environment.stdout(summary(made))
    return 0
  },
}

const summary = ({ clusterId, machineId, adminToken }: Initialised): string =>
  [
    `cluster ${clusterId}`,
    `machine ${machineId}`,
    `admin token, shown this once: ${adminToken}`,
    'next: jangada up; then, for every other machine, a token: jangada token --voter',
    '',
  ].join('\n')
