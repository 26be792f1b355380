import type { KvLease, KvLeasesAnswer } from '../../../node/api/kv-answers.ts'
import { type Arguments, type Command, nodeOptions, tableOptions, usage } from '../command.ts'
import { durationMs } from '../duration.ts'
import type { CliEnvironment } from '../environment.ts'
import { queryOf } from '../kv.ts'
import { type NodeClient, openNode, segment } from '../node-client.ts'
import { type Column, printJson, printTable } from '../table.ts'

const ttlMsMin = 1000

type LeaseRow = KvLeasesAnswer['leases'][number]

const columns: readonly Column<LeaseRow>[] = [
  { name: 'lease', cell: ({ id }) => id },
  { name: 'ttl', cell: ({ ttlMs }) => `${ttlMs / 1000}s` },
  { name: 'keys', cell: ({ keys }) => String(keys) },
]

export const command: Command = {
  synopsis: 'kv lease grant TTL | keepalive ID | revoke ID | ls',
  about:
    'A lease is a promise to come back: the keys that were put with it (`kv put --lease ID`) are\n' +
    'deleted together when nobody has kept it alive for its TTL, or when it is revoked.\n\n' +
    '  kv lease grant TTL       prints the id; TTL: 30s, 5m, from 1s on\n' +
    '  kv lease keepalive ID    its time begins anew; with --every again and again, until Ctrl-C\n' +
    '  kv lease revoke ID       ends it now\n' +
    '  kv lease ls              lists leases\n\n' +
    'When the leader changes, every lease has its full time again.',
  words: { min: 1, max: 2 },
  options: {
    ...nodeOptions,
    ...tableOptions,
    every: { type: 'string', requiresArg: true, describe: 'keepalive: again after this time' },
  },
  examples: [
    ['kv lease grant 30s', ''],
    ['kv lease keepalive 1f0c… --every 10s', ''],
  ],
  run: async (args, environment) => {
    const [action = '', word] = args.words
    const run = Object.hasOwn(actions, action) ? actions[action] : undefined
    if (run === undefined) {
      throw usage(`there is no "kv lease ${action}"`, Object.keys(actions).join(', '))
    }
    if ((word === undefined) !== (action === 'ls'))
      throw usage(`usage: jangada ${command.synopsis}`)
    await run(openNode(args, environment), args, environment, word ?? '')
    return 0
  },
}

type Action = (
  node: NodeClient,
  args: Arguments,
  environment: CliEnvironment,
  word: string,
) => Promise<void>

const actions: Readonly<Record<string, Action>> = {
  grant: async (node, args, environment, ttl) => {
    const ttlMs = durationMs(ttl, 'TTL')
    if (ttlMs < ttlMsMin) throw usage(`TTL ${ttl}: a lease lasts a second at least`)
    const lease = await node.call<KvLease>('POST', '/v1/kv/leases', { ttlMs })
    if (args.flag('json')) printJson(environment, lease)
    else environment.stdout(`${lease.id}\n`)
  },
  keepalive: async (node, args, environment, id) => {
    const every = args.text('every')
    const everyMs = every === undefined ? undefined : durationMs(every, '--every')
    for (;;) {
      const answer = await node.call('POST', `/v1/kv/leases/${segment(id)}/keepalive`)
      if (args.flag('json')) environment.stdout(`${JSON.stringify(answer)}\n`)
      else environment.stdout(`${id} is kept\n`)
      if (everyMs === undefined) return
      await environment.sleep(everyMs)
      if (environment.signal.aborted) return
    }
  },
  revoke: async (node, args, environment, id) => {
    const answer = await node.call('DELETE', `/v1/kv/leases/${segment(id)}`)
    if (args.flag('json')) printJson(environment, answer)
    else environment.stdout(`${id} has ended, and its keys with it\n`)
  },
  ls: async (node, args, environment) => {
    const leases: LeaseRow[] = []
    for (let more = true; more;) {
      const query = queryOf({ after: leases.at(-1)?.id })
      const page = await node.get<KvLeasesAnswer>(`/v1/kv/leases${query}`)
      leases.push(...page.leases)
      more = page.more && page.leases.length > 0
    }
    if (args.flag('json')) printJson(environment, { leases })
    else printTable(environment, args, columns, leases)
  },
}
