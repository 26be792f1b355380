/** Both stores as services on the same three hosts, one of them at a time. */
import path from 'node:path'
import { parseToken, formatBearer } from '../../../src/core/trust/token-text.ts'
import { sleep } from '../../../src/ports/clock.ts'
import {
  agentReady,
  agentService,
  clusterStateDir,
  program,
} from '../../../src/tools/rack/cluster.ts'
import { must } from '../../../src/tools/rack/processes.ts'
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { until } from '../../../src/tools/rack/world.ts'
import type { Endpoint } from './connection.ts'
import { etcdPrograms } from './etcd-programs.ts'
import type { Order, Report, StoreName } from './order.ts'

export const members = ['n1', 'n2', 'n3'] as const
/** The host that the load comes from. */
export const loader = 'n4'
export type Security = 'plain' | 'tls'

/** On the engine's file system, as our own log is: not in the host's overlay. */
const etcdDirectory = '/var/lib/containerd/etcd'
const etcdService = 'etcd'
/** etcd takes `HOST:PORT` for a name and makes the socket where it was started. */
const etcdSocketName = 'etcd:1'
const etcdSocketDirectory = '/run'
const apiPort = 7381
const clientPort = 2379
const peerPort = 2380
const readyMs = 30_000
const generatorMs = 600_000
/** After elections and the opening of files. */
const calmMs = 2000

export interface RunningStore {
  readonly name: StoreName
  /** As the hosts' init knows it, and where its members keep log and state. */
  readonly service: string
  readonly directory: string
  load(order: Pick<Order, 'seed' | 'rows' | 'look'>): Promise<Report>
  /** SIGKILL for all members at once, and a start from what their disks have. */
  killAllAndRestart(): Promise<void>
  stop(): Promise<void>
}

/** The cluster of ours runs from the beginning; whoever measures etcd stops it first. */
export const stopOurs = (rack: Rack) => stopAll(rack, agentService)

export const startStore = (rack: Rack, name: StoreName, security: Security) =>
  name === 'etcd' ? startEtcd(rack, security) : startOurs(rack, security)

async function startOurs(rack: Rack, security: Security): Promise<RunningStore> {
  const up = (name: string) => [program, 'up', '--state-dir', clusterStateDir, '--name', name]
  const start = async (): Promise<void> => {
    await Promise.all(members.map((name) => rack.startService(name, agentService, up(name))))
    await Promise.all(members.map((name) => agentReady(rack, name)))
    await sleep(rack.clock, calmMs)
  }
  await start()
  const made = await rack.sh('n1', [program, 'token', '--scope', 'admin', '--json'])
  const token = parseToken((JSON.parse(made) as { token: string }).token)
  const bearer = token === undefined || security === 'plain' ? {} : { bearer: formatBearer(token) }
  const endpoints = await endpointsOf(rack, security, '/run/jangada/jangada.sock', apiPort)
  return {
    name: 'jangada',
    service: agentService,
    directory: clusterStateDir,
    load: (order) => generate(rack, { ...order, ...bearer, store: 'jangada', endpoints }),
    killAllAndRestart: async () => {
      await killAll(rack, agentService)
      await start()
    },
    stop: async () => void (await stopAll(rack, agentService)),
  }
}

async function startEtcd(rack: Rack, security: Security): Promise<RunningStore> {
  const programs = await etcdPrograms()
  for (const name of members) await rack.sh(name, ['rm', '-rf', etcdDirectory])
  const start = async (): Promise<void> => {
    const argvs = members.map((name) => [
      ...['env', '-C', etcdSocketDirectory, path.join(programs, 'etcd')],
      ...etcdFlags(rack, name, security),
    ])
    await Promise.all(members.map((name, at) => rack.startService(name, etcdService, argvs[at]!)))
    const evidence = () => rack.logs('n1', etcdService, 20)
    const wait = { what: 'etcd has a leader', timeoutMs: readyMs, evidence }
    await until(rack.clock, wait, async () => {
      const etcdctl = path.join(programs, 'etcdctl')
      const argv = [etcdctl, ...etcdctlFlags(security), 'put', 'ready', 'yes']
      const { code } = await rack.exec('n1', ['env', 'ETCDCTL_API=3', ...argv])
      return code === 0 ? true : undefined
    })
    await sleep(rack.clock, calmMs)
  }
  await start()
  const endpoints = await endpointsOf(
    rack,
    security,
    `${etcdSocketDirectory}/${etcdSocketName}`,
    clientPort,
  )
  return {
    name: 'etcd',
    service: etcdService,
    directory: etcdDirectory,
    load: (order) => generate(rack, { ...order, store: 'etcd', endpoints }),
    killAllAndRestart: async () => {
      await killAll(rack, etcdService)
      await start()
    },
    stop: async () => void (await stopAll(rack, etcdService)),
  }
}

const etcdctlFlags = (security: Security): string[] =>
  security === 'tls'
    ? [
        '--endpoints',
        `https://127.0.0.1:${clientPort}`,
        '--insecure-transport=false',
        '--insecure-skip-tls-verify',
      ]
    : ['--endpoints', `unix://${etcdSocketDirectory}/${etcdSocketName}`]

function etcdFlags(rack: Rack, name: string, security: Security): string[] {
  const scheme = security === 'tls' ? 'https' : 'http'
  const peerUrl = (host: string) => `${scheme}://${rack.host(host).address}:${peerPort}`
  const clientUrl =
    security === 'tls' ? `https://0.0.0.0:${clientPort}` : `unix://${etcdSocketName}`
  const told = security === 'tls' ? `https://${rack.host(name).address}:${clientPort}` : clientUrl
  const auto = security === 'tls' ? ['--auto-tls', '--peer-auto-tls'] : []
  const cluster = members.map((host) => `${host}=${peerUrl(host)}`).join(',')
  return [
    ...['--name', name, '--data-dir', etcdDirectory, ...auto],
    ...['--listen-peer-urls', peerUrl(name), '--initial-advertise-peer-urls', peerUrl(name)],
    ...['--listen-client-urls', clientUrl, '--advertise-client-urls', told],
    ...['--initial-cluster', cluster, '--quota-backend-bytes', String(8 * 2 ** 30)],
    ...['--logger', 'zap', '--log-level', 'error'],
  ]
}

async function endpointsOf(
  rack: Rack,
  security: Security,
  socket: string,
  port: number,
): Promise<Endpoint[]> {
  return Promise.all(
    members.map(async (name): Promise<Endpoint> => {
      if (security === 'tls') return { kind: 'tls', host: rack.host(name).address, port }
      return { kind: 'socket', path: `/proc/${await rack.initPid(name)}/root${socket}` }
    }),
  )
}

/** In the loader's network, with our own files: the sockets are reached through `/proc`. */
async function generate(rack: Rack, order: Order): Promise<Report> {
  const generator = path.join(import.meta.dirname, 'generator.ts')
  const inside = ['nsenter', '-t', String(await rack.initPid(loader)), '-n', '--']
  const argv = [...inside, process.execPath, generator, JSON.stringify(order)]
  return JSON.parse(await must(argv, { timeoutMs: generatorMs })) as Report
}

async function killAll(rack: Rack, service: string): Promise<void> {
  await Promise.all(members.map((name) => rack.signalService(name, service, 'KILL')))
  // The hosts' init starts them again by itself, a moment later.
  await sleep(rack.clock, calmMs)
}

const stopAll = (rack: Rack, service: string) =>
  Promise.all(members.map((name) => rack.stopService(name, service)))
