import type { TokenCreated } from '../../../node/api/answers.ts'
import { type Command, nodeOptions, usage } from '../command.ts'
import { durationMs } from '../duration.ts'
import { openNode } from '../node-client.ts'
import { printJson } from '../table.ts'

export const command: Command = {
  synopsis: 'token [create]',
  about:
    'Makes a token and prints it, this once: the cluster keeps only its hash. The default lets one\n' +
    'machine join (`jangada join ADDRESS --token J1.…`) as a client, for a day; --voter lets it\n' +
    'vote in the consensus as well. With --scope it is a token for the API instead (A1.…).',
  words: { min: 0, max: 0 },
  options: {
    ...nodeOptions,
    scope: {
      type: 'string',
      choices: ['machine', 'read', 'deploy', 'admin'],
      default: 'machine',
      requiresArg: true,
      describe: 'machine: to join; read, deploy, admin: for the API',
    },
    voter: { type: 'boolean', describe: 'The machine may become a voter' },
    ceiling: {
      type: 'string',
      choices: ['client', 'voter'],
      requiresArg: true,
      describe: 'The most the machine may become; --voter is short for --ceiling voter',
    },
    uses: {
      type: 'number',
      requiresArg: true,
      default: 1,
      describe: 'How many machines may join with it',
    },
    ttl: {
      type: 'string',
      requiresArg: true,
      default: '24h',
      describe: 'How long it holds: 30m, 12h, 7d',
    },
  },
  examples: [
    ['token --voter --uses 2', 'for two more voters'],
    ['token --scope read --ttl 30d', 'for a dashboard elsewhere'],
  ],
  run: async (args, environment) => {
    const uses = args.number('uses') ?? 1
    if (!Number.isSafeInteger(uses) || uses < 1) throw usage('--uses is a whole number from 1 on')
    const role = args.text('scope') ?? 'machine'
    if (role !== 'machine' && (args.flag('voter') || args.text('ceiling') !== undefined)) {
      throw usage('--voter and --ceiling are about machines, and --scope is about the API')
    }
    const roleCeiling = args.flag('voter') ? 'voter' : (args.text('ceiling') ?? 'client')
    const made = await openNode(args, environment).call<TokenCreated>('POST', '/v1/tokens', {
      role,
      roleCeiling,
      uses,
      ttlMs: durationMs(args.text('ttl') ?? '24h', '--ttl'),
    })
    if (args.flag('json')) printJson(environment, made)
    else {
      environment.stdout(`${made.token}\n`)
      // A script takes the one line; a person is told what to do with it.
      if (environment.isTty) environment.stderr(nextStep(role))
    }
    return 0
  },
}

const nextStep = (role: string): string =>
  role === 'machine'
    ? 'next, on the machine: jangada join ADDRESS --token TOKEN, then jangada up\n'
    : 'next: jangada --endpoint https://ADDRESS:7381 --token TOKEN, or in JANGADA_TOKEN\n'
