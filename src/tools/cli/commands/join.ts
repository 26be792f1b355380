import { parseToken } from '../../../core/trust/token-text.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { machineConfig, machineOptions } from '../machine-options.ts'
import { printJson } from '../table.ts'

const { json } = nodeOptions

export const command: Command = {
  synopsis: 'join ADDRESS --token TOKEN',
  about:
    'Joins this machine to the cluster that ADDRESS (HOST or HOST:PORT of any of its machines)\n' +
    'belongs to. The token says which cluster that must be: its secret is sent only to a machine\n' +
    'that has proven to be of it. Then run `jangada up`.',
  words: { min: 1, max: 1 },
  options: {
    ...(json === undefined ? {} : { json }),
    ...machineOptions,
    token: {
      type: 'string',
      requiresArg: true,
      describe: 'A join token (J1.…); jangada token makes one',
    },
  },
  examples: [['join 10.77.0.1 --token J1.…', 'then jangada up']],
  run: async (args, environment) => {
    const token = args.text('token') ?? environment.defaults.token
    if (token === undefined) {
      throw usage('--token is missing', 'make one on a machine of the cluster: jangada token')
    }
    if (parseToken(token)?.use !== 'join') {
      throw usage(
        'the token is no join token, or not the whole of one: they begin with J1.',
        'make one on a machine of the cluster: jangada token',
      )
    }
    const [door = ''] = args.words
    const config = { ...machineConfig(args, environment), door, token }
    const joined = await environment.join(config, (machineId) => {
      environment.stderr(`waiting to be let in; on the cluster: jangada admit ${machineId}\n`)
    })
    const { clusterId, machineId } = joined
    if (args.flag('json')) printJson(environment, { clusterId, machineId })
    else environment.stdout(`Machine ${machineId} is of cluster ${clusterId}\nnext: jangada up\n`)
    return 0
  },
}
