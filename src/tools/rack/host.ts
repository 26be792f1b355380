/**
 * One host of the rack: a set of namespaces with an engine of its own. Everything it is made of
 * is a process, so that killing its PID 1 is a power cut, and nothing of it can stay behind.
 */
import { randomBytes } from 'node:crypto'
import { access, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  type CgroupLayout,
  cgroupDirs,
  createCgroups,
  hierarchyWords,
  innerCgroupDirs,
  joining,
  moveInner,
  passOnControllers,
  processesIn,
} from './cgroups.ts'
import { type EngineInfo, engineInfo } from './engine.ts'
import { hostInitScript } from './host-init.ts'
import { tail } from './logs.ts'
import { cgroupName, containerBridge, rackPaths } from './names.ts'
import { plugHost } from './network.ts'
import type { ProcessRef, RunOptions, RunResult } from './processes.ts'
import { isAlive, processRef, run, startDetached } from './processes.ts'
import { type HostSpec, type RackSpec, writeBoot } from './spec.ts'
import { type RackWorld, rackError, until } from './world.ts'

const bootTimeoutMs = 10_000
/** Engines need 2 s here; much more when many hosts start at once on a busy machine. */
const engineTimeoutMs = 180_000
const logLinesShown = 15

/** A host's own; users are the outer machine's. For `unshare` and for `nsenter`. */
const namespaceFlags = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup']

const hostDirectory = (rack: RackSpec, host: HostSpec): string =>
  rackPaths(rack.stateDir).host(host.name)

/** Makes what a host keeps over power cuts, its disk so to say. Existing data is left alone. */
export async function prepareHost(rack: RackSpec, host: HostSpec): Promise<void> {
  const directory = hostDirectory(rack, host)
  const at = (...names: string[]): string => path.join(directory, ...names)
  const etc = (...names: string[]): string => at('layers/etc/upper', ...names)
  for (const dir of ['log', 'services', 'etc-docker', 'docker', 'containerd', 'jangada']) {
    await mkdir(at(dir), { recursive: true })
  }
  await mkdir(etc('containerd'), { recursive: true })
  const exists = await access(etc('machine-id')).then(
    () => true,
    () => false,
  )
  if (!exists) await writeFile(etc('machine-id'), `${randomBytes(16).toString('hex')}\n`)
  await writeFile(etc('hostname'), `${host.name}\n`)
  const names = rack.hosts.map(({ address, name }) => `${address} ${name}\n`).join('')
  await writeFile(etc('hosts'), `127.0.0.1 localhost\n${names}`)
  // The Kubernetes plug-in costs memory and start time, and nothing here uses it.
  const containerd = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
  await writeFile(etc('containerd/config.toml'), containerd)
  const own = await readFile(at(ownDaemonSettings), 'utf8').catch(() => '{}')
  await writeFile(at('etc-docker/daemon.json'), daemonSettings(host, own))
  await writeFile(at('product_uuid'), `${host.uuid}\n`)
  await writeFile(at('host-init.sh'), hostInitScript)
  for (const [service, script] of Object.entries(engineServices)) {
    await writeFile(at('services', service), script)
  }
  await rm(at('work'), { force: true })
  await symlink(process.cwd(), at('work'))
  await rm(at('binary'), { force: true })
  if (rack.binary !== undefined) await symlink(path.resolve(rack.binary), at('binary'))
}

/** In a host's directory: what its engine is set to beside what all are, as `daemon.json` has it. */
export const ownDaemonSettings = 'own-daemon.json'

const daemonSettings = (host: HostSpec, own: string): string =>
  JSON.stringify({
    'live-restore': true,
    bip: containerBridge(host.index),
    containerd: '/run/containerd/containerd.sock',
    'log-level': 'warn',
    ...(JSON.parse(own) as object),
  })

const engineServices = {
  containerd: 'cd /\nexec containerd --log-level warn\n',
  // A killed dockerd leaves its pid file; in a small pid namespace the number is soon another's.
  dockerd:
    'cd /\nuntil [ -S /run/containerd/containerd.sock ]; do sleep 0.02; done\n' +
    'rm -f /run/docker.pid\nexec dockerd\n',
}

/**
 * Switches the host on and plugs it in; returns its PID 1 before its engine answers. A cable that
 * was cut before the power was is plugged in again.
 */
export async function startHost(
  world: RackWorld,
  layout: CgroupLayout,
  rack: RackSpec,
  host: HostSpec,
): Promise<ProcessRef> {
  const directory = hostDirectory(rack, host)
  const cgroup = cgroupName(rack.name, host.name)
  await prepareHost(rack, host)
  await passOnControllers(layout)
  await createCgroups(layout, cgroup)
  const flags = [...namespaceFlags, '--fork', '--kill-child', '--propagation=private']
  const outside = ['env', `--chdir=${directory}`, 'unshare', ...flags, '--']
  const script = path.join(directory, 'host-init.sh')
  const inside = ['tini', '-g', '--', 'sh', script, host.name, ...hierarchyWords(layout)]
  const log = path.join(directory, 'log', 'init')
  const outer = await startDetached(
    joining(cgroupDirs(layout, cgroup), [...outside, ...inside]),
    log,
  )
  const init = await until(
    world.clock,
    {
      what: `${host.name} has a PID 1`,
      timeoutMs: bootTimeoutMs,
      pollMs: 2,
      evidence: () => tail(log, logLinesShown),
    },
    () => findInit(layout, cgroup, outer.pid),
  )
  await writeBoot(directory, { init })
  await moveInner(layout, cgroup, outer.pid)
  await plugHost(rack.switch.pid, init.pid, host)
  return init
}

/** The child of `parentPid` that is PID 1 in a pid namespace just below ours. */
async function findInit(
  layout: CgroupLayout,
  cgroup: string,
  parentPid: number,
): Promise<ProcessRef | undefined> {
  for (const pid of await processesIn(layout, cgroup)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const parent = /^PPid:\s+(\d+)$/m.exec(status)?.[1]
    const inner = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1]
    if (Number(parent) === parentPid && inner === '1') return processRef(pid)
  }
  return undefined
}

/** Resolves when the host's own engine answers. Throws `JGD_RACK` when the host died first. */
export async function engineReady(
  world: RackWorld,
  rack: RackSpec,
  host: HostSpec,
  init: ProcessRef,
): Promise<EngineInfo> {
  const log = (name: string): string => path.join(hostDirectory(rack, host), 'log', name)
  const wait = {
    what: `the engine of ${host.name} answers`,
    timeoutMs: engineTimeoutMs,
    pollMs: 30,
    evidence: async () =>
      `${await tail(log('init'), logLinesShown)}\n${await tail(log('dockerd'), logLinesShown)}`,
  }
  return until(world.clock, wait, async () => {
    if (!(await isAlive(init))) {
      throw rackError(`${host.name} went down while it started\n${await wait.evidence()}`)
    }
    const info = await engineInfo(init.pid)
    return info.name === host.name ? info : undefined
  })
}

/** Runs `argv` on the host: in all its namespaces and, unlike nsenter alone, in its cgroups. */
export function execIn(
  layout: CgroupLayout,
  rack: RackSpec,
  host: HostSpec,
  init: ProcessRef,
  argv: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const cgroup = cgroupName(rack.name, host.name)
  const nsenter = ['nsenter', '-t', String(init.pid), ...namespaceFlags, '--wd=/', '--']
  return run(joining(innerCgroupDirs(layout, cgroup), [...nsenter, ...argv]), options)
}
