/** From a rack of hosts to a cluster of them, by the same commands that a person would type. */
import type { Rack } from './rack.ts'
import { rackError, until } from './world.ts'

/** The service name of the agent on every host; also the default of `rack logs`. */
export const agentService = 'jangada'
export const clusterStateDir = '/var/lib/jangada'

/** Where every host has the product. */
export const program = '/usr/local/bin/jangada'
const socket = '/run/jangada/jangada.sock'
/** The API's port: what `jangada join` is given (ARCHITECTURE 9). */
const apiPort = 7381
const agentTimeoutMs = 30_000
const tokenPattern = /J1\.\S+/

export interface ClusterOptions {
  /** The hosts that become machines of the cluster; all when not told. */
  readonly members?: readonly string[]
  /** Those of them that may never vote; none when not told. */
  readonly clients?: readonly string[]
  /** The link on which nodes serve blank machines; undefined: they boot none. */
  readonly bootLink?: string
  /** The hosts that serve them; all when not told. */
  readonly bootHosts?: readonly string[]
  /** For the kernels of the machines that are booted. */
  readonly kernelArguments?: readonly string[]
  /** Labels of the machines, by the name of the host. */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/**
 * `jangada init` on the first host, `jangada join` with a fresh token on the others, `jangada up`
 * as a service on all. Resolves when every node answers `jangada status`. The agents start again
 * whenever they end and whenever their host is switched on.
 *
 * Throws `JGD_RACK` with the last lines of the agent's log when one does not come up.
 */
export async function bringUpCluster(rack: Rack, options: ClusterOptions = {}): Promise<void> {
  const [first, ...others] = rack.spec.hosts.filter(
    ({ name }) => options.members?.includes(name) ?? true,
  )
  if (first === undefined) throw rackError('a cluster needs at least one host')
  if (rack.spec.binary === undefined) {
    throw rackError(
      'the rack was built without a binary',
      'Name the built product: --binary dist/jangada',
    )
  }
  // Nobody is there to admit the rack's blank machines, and nobody else is on its network.
  const admission = options.bootLink === undefined ? [] : ['--admission', 'auto']
  const init = [program, 'init', '--state-dir', clusterStateDir, '--name', first.name]
  await rack.sh(first.name, [...init, ...admission])
  await startAgent(rack, first.name, options)
  const { clients = [] } = options
  const voterToken = await joinToken(rack, first.name, 'voter', others.length)
  const clientToken = await joinToken(rack, first.name, 'client', clients.length)
  await Promise.all(
    others.map(async ({ name }) => {
      const peer = `${first.address}:${apiPort}`
      const token = clients.includes(name) ? clientToken : voterToken
      const join = [program, 'join', peer, '--token', token, '--state-dir', clusterStateDir]
      await rack.sh(name, [...join, '--name', name])
      await startAgent(rack, name, options)
    }),
  )
}

async function joinToken(
  rack: Rack,
  host: string,
  ceiling: 'voter' | 'client',
  uses: number,
): Promise<string> {
  const make = [program, 'token', '--ceiling', ceiling, '--uses', String(Math.max(1, uses))]
  const said = await rack.sh(host, make)
  const token = tokenPattern.exec(said)?.[0]
  if (token === undefined) throw rackError(`\`jangada token\` on ${host} printed no token: ${said}`)
  return token
}

async function startAgent(rack: Rack, host: string, options: ClusterOptions): Promise<void> {
  const { bootLink, bootHosts, kernelArguments, metadata } = options
  const boots = bootLink !== undefined && (bootHosts?.includes(host) ?? true)
  const words = (kernelArguments ?? []).flatMap((word) => ['--kernel-argument', word])
  const link = boots ? ['--link', bootLink, ...words] : []
  const labels = Object.entries(metadata?.[host] ?? {}).flatMap(([key, value]) => [
    '--metadata',
    `${key}=${value}`,
  ])
  const up = [program, 'up', '--state-dir', clusterStateDir, '--name', host, ...link, ...labels]
  await rack.startService(host, agentService, up)
  await agentReady(rack, host)
}

/** Resolves when the node on `host` answers on its socket. */
export async function agentReady(rack: Rack, host: string): Promise<void> {
  const wait = {
    what: `the node on ${host} answers`,
    timeoutMs: agentTimeoutMs,
    pollMs: 100,
    evidence: () => rack.logs(host, agentService, 20),
  }
  await until(rack.clock, wait, async () => {
    const there = await rack.exec(host, ['test', '-S', socket])
    if (there.code !== 0) return undefined
    const { code } = await rack.exec(host, [program, 'status', '--json'])
    return code === 0 ? true : undefined
  })
}
