import { type Command, usage } from '../command.ts'
import { machineConfig, machineOptions } from '../machine-options.ts'

const logLevels = ['debug', 'info', 'warn', 'error'] as const

export const command: Command = {
  synopsis: 'up',
  about:
    "Runs this machine's part of the cluster until it is stopped: agent, member, and with --link\n" +
    'network boot for blank machines. On an empty state directory it waits for `jangada init` or\n' +
    '`jangada join`, or joins by --join; it never makes a cluster. Containers go on without it.',
  words: { min: 0, max: 0 },
  options: {
    ...machineOptions,
    link: {
      type: 'string',
      requiresArg: true,
      describe: 'Boot blank machines on this link',
    },
    'kernel-argument': {
      type: 'string',
      requiresArg: true,
      describe: 'For the machines booted from here; may be given more than once',
    },
    metadata: {
      type: 'string',
      requiresArg: true,
      describe: 'Label of this machine, KEY=VALUE; may be given more than once',
    },
    join: { type: 'string', requiresArg: true, describe: 'Join there first; needs --token' },
    token: { type: 'string', requiresArg: true, describe: 'The join token (J1.…) for --join' },
    'docker-socket': {
      type: 'string',
      requiresArg: true,
      describe: "The engine's socket [/var/run/docker.sock]",
    },
    socket: {
      type: 'string',
      requiresArg: true,
      describe: 'Where the commands find this node [/run/jangada/jangada.sock]',
    },
    'log-level': {
      type: 'string',
      choices: logLevels,
      requiresArg: true,
      default: 'info',
      describe: 'The least that is logged',
    },
  },
  examples: [
    ['up', 'after init or join'],
    ['up --link eth1 --metadata disk=ssd', 'a boot node with a label'],
    ['up --join 10.77.0.1 --token J1.…', 'join and run in one'],
  ],
  run: async (args, environment) => {
    const { defaults } = environment
    const door = args.text('join')
    const token = args.text('token') ?? defaults.token
    if (door !== undefined && token === undefined) {
      throw usage('--join needs --token', 'make one on a machine of the cluster: jangada token')
    }
    await environment.up({
      ...machineConfig(args, environment),
      socketPath: args.text('socket') ?? defaults.socketPath,
      dockerSocket: args.text('docker-socket') ?? defaults.dockerSocket,
      metadata: labelsOf(args.list('metadata')),
      bootLinks: linksOf(args.list('link')),
      kernelArguments: args.list('kernel-argument'),
      logLevel: logLevels.find((level) => level === args.text('log-level')) ?? 'info',
      join: door === undefined || token === undefined ? undefined : { door, token },
    })
    return 0
  },
}

/** DHCP is answered on one socket, and a kernel gives broadcasts to one. */
function linksOf(names: readonly string[]): readonly string[] {
  if (names.length < 2) return names
  throw usage(
    `${names.length} boot links: a node serves one`,
    'let another machine be the boot node of the other link',
  )
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=')
      if (equals < 1) throw usage(`--metadata ${text}: write KEY=VALUE`)
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}
