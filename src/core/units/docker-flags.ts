/**
 * Every flag that `docker run --help` of Docker 20.10 lists, and what becomes of it: carried into
 * the container's configuration, understood (what it asks for is done by other means), or refused
 * with a reason. `test/core/units/docker-flags.test.ts` holds this table against the list.
 */
import * as set from './docker-setters.ts'
import { isIp, isIpv4, isIpv6, parseBytes, parseNanoCpus } from './docker-values.ts'
import {
  carried,
  toggle,
  refused,
  parsed,
  text,
  bytes,
  integer,
  duration,
  anyInteger,
  list,
  mode,
  throttle,
  operations,
  weightDevice,
  addHost,
  sysctl,
  storage,
  tmpfs,
  linkLocal,
  isMac,
  isDomain,
  where,
} from './docker-flag-kinds.ts'
import type { DockerFlag } from './docker-flag-kinds.ts'

const namedByJangada = `${set.otherContainer}; say MachineOf= to share a machine`

const processFlags: readonly DockerFlag[] = [
  carried(
    'entrypoint',
    text((draft, value) => (draft.config.Entrypoint = [value])),
  ),
  carried('env', set.setEnvironment, { short: 'e' }),
  carried('env-file', (draft, value, context) =>
    set.addFile(draft.environmentFromFiles, value, context, (name) => context.variable(name)),
  ),
  carried('label', set.setLabel, { short: 'l' }),
  carried('label-file', (draft, value, context) =>
    set.addFile(draft.labelsFromFiles, value, context, () => undefined),
  ),
  carried(
    'hostname',
    text((draft, value) => (draft.config.Hostname = value)),
    { short: 'h' },
  ),
  carried(
    'domainname',
    text((draft, value) => (draft.config.Domainname = value)),
  ),
  carried(
    'user',
    text((draft, value) => (draft.config.User = value)),
    { short: 'u' },
  ),
  carried(
    'workdir',
    text((draft, value) => (draft.config.WorkingDir = value)),
    { short: 'w' },
  ),
  carried('group-add', list('GroupAdd')),
  carried(
    'stop-signal',
    text((draft, value) => (draft.config.StopSignal = value)),
  ),
  carried(
    'stop-timeout',
    integer((draft, n) => (draft.config.StopTimeout = n), 0, 2 ** 31 - 1),
  ),
  toggle('tty', (draft, on) => (draft.config.Tty = on), { short: 't' }),
  toggle('interactive', (draft, on) => (draft.config.OpenStdin = on), { short: 'i' }),
  toggle('init', (draft, on) => (draft.host.Init = on)),
  carried(
    'health-cmd',
    text((draft, value) => (draft.health.Test = ['CMD-SHELL', value])),
  ),
  carried(
    'health-interval',
    duration((draft, ns) => (draft.health.Interval = ns)),
  ),
  carried(
    'health-timeout',
    duration((draft, ns) => (draft.health.Timeout = ns)),
  ),
  carried(
    'health-start-period',
    duration((draft, ns) => (draft.health.StartPeriod = ns)),
  ),
  carried(
    'health-retries',
    integer((draft, n) => (draft.health.Retries = n), 0, 2 ** 31 - 1),
  ),
  toggle('no-healthcheck', (draft, on) => (draft.noHealthcheck = on)),
  carried(
    'log-driver',
    text((draft, value) => (draft.logDriver = value)),
  ),
  carried(
    'log-opt',
    text((draft, value) => draft.logOptions.push(value)),
  ),
]

const securityFlags: readonly DockerFlag[] = [
  carried('cap-add', list('CapAdd')),
  carried('cap-drop', list('CapDrop')),
  toggle('privileged', (draft, on) => (draft.host.Privileged = on)),
  toggle('read-only', (draft, on) => (draft.host.ReadonlyRootfs = on)),
  carried('security-opt', set.setSecurityOption),
  carried(
    'userns',
    mode(['host'], (draft, value) => (draft.host.UsernsMode = value)),
  ),
  carried(
    'cgroupns',
    mode(['host', 'private'], (draft, value) => (draft.host.CgroupnsMode = value)),
  ),
  carried(
    'ipc',
    mode(
      ['none', 'private', 'shareable', 'host'],
      (draft, value) => (draft.host.IpcMode = value),
      true,
    ),
  ),
  carried(
    'pid',
    mode(['host'], (draft, value) => (draft.host.PidMode = value), true),
  ),
  carried(
    'uts',
    mode(['host'], (draft, value) => (draft.host.UTSMode = value)),
  ),
  carried(
    'runtime',
    text((draft, value) => (draft.host.Runtime = value)),
  ),
  carried(
    'cgroup-parent',
    text((draft, value) => (draft.host.CgroupParent = value)),
  ),
  carried('sysctl', sysctl),
  carried('ulimit', set.setUlimit),
  carried('device', set.setDevice),
  carried(
    'device-cgroup-rule',
    list(
      'DeviceCgroupRules',
      (rule) => /^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(rule),
      'a device rule, such as "c 1:3 r"',
    ),
  ),
  carried('gpus', set.setGpus),
]

const networkFlags: readonly DockerFlag[] = [
  carried('network', set.setNetwork, { aliases: ['net'] }),
  carried(
    'network-alias',
    text((draft, value) => draft.aliases.push(value)),
    {
      aliases: ['net-alias'],
    },
  ),
  carried('publish', set.setPublish, { short: 'p' }),
  toggle('publish-all', (draft, on) => (draft.host.PublishAllPorts = on), { short: 'P' }),
  carried('expose', set.setExpose),
  carried('add-host', addHost),
  carried('dns', list('Dns', isIp, 'an address')),
  carried('dns-option', list('DnsOptions'), { aliases: ['dns-opt'] }),
  carried('dns-search', list('DnsSearch', isDomain, 'a domain')),
  carried(
    'ip',
    parsed(where(isIpv4), 'an IPv4 address', (draft, ip) => (draft.address.IPv4Address = ip)),
  ),
  carried(
    'ip6',
    parsed(where(isIpv6), 'an IPv6 address', (draft, ip) => (draft.address.IPv6Address = ip)),
  ),
  carried('link-local-ip', linkLocal),
  carried(
    'mac-address',
    parsed(where(isMac), 'a MAC address', (draft, mac) => (draft.config.MacAddress = mac)),
  ),
]

const storageFlags: readonly DockerFlag[] = [
  carried('volume', set.setVolume, { short: 'v' }),
  carried(
    'volume-driver',
    text((draft, value) => (draft.host.VolumeDriver = value)),
  ),
  carried('mount', set.setMount),
  carried('tmpfs', tmpfs),
  carried(
    'shm-size',
    bytes((draft, n) => (draft.host.ShmSize = n)),
  ),
  carried('storage-opt', storage),
]

const resourceFlags: readonly DockerFlag[] = [
  carried(
    'memory',
    bytes((draft, n) => (draft.host.Memory = n)),
    { short: 'm' },
  ),
  carried(
    'memory-reservation',
    bytes((draft, n) => (draft.host.MemoryReservation = n)),
  ),
  carried(
    'memory-swap',
    parsed(
      (value) => (value === '-1' ? -1 : parseBytes(value)),
      'a size, or -1 for no limit',
      (draft, n) => (draft.host.MemorySwap = n),
    ),
  ),
  carried(
    'memory-swappiness',
    integer((draft, n) => (draft.host.MemorySwappiness = n), -1, 100),
  ),
  carried(
    'kernel-memory',
    bytes((draft, n) => (draft.host.KernelMemory = n)),
  ),
  toggle('oom-kill-disable', (draft, on) => (draft.host.OomKillDisable = on)),
  carried(
    'oom-score-adj',
    integer((draft, n) => (draft.host.OomScoreAdj = n), -1000, 1000),
  ),
  carried(
    'pids-limit',
    integer((draft, n) => (draft.host.PidsLimit = n), -1, anyInteger),
  ),
  carried(
    'cpus',
    parsed(parseNanoCpus, 'a number of processors, such as 1.5', (draft, n) => {
      draft.host.NanoCpus = n
    }),
  ),
  carried(
    'cpu-shares',
    integer((draft, n) => (draft.host.CpuShares = n), 0, anyInteger),
    {
      short: 'c',
    },
  ),
  carried(
    'cpu-period',
    integer((draft, n) => (draft.host.CpuPeriod = n), 0, anyInteger),
  ),
  carried(
    'cpu-quota',
    integer((draft, n) => (draft.host.CpuQuota = n), -1, anyInteger),
  ),
  carried(
    'cpu-rt-period',
    integer((draft, n) => (draft.host.CpuRealtimePeriod = n), 0, anyInteger),
  ),
  carried(
    'cpu-rt-runtime',
    integer((draft, n) => (draft.host.CpuRealtimeRuntime = n), 0, anyInteger),
  ),
  carried(
    'cpuset-cpus',
    text((draft, value) => (draft.host.CpusetCpus = value)),
  ),
  carried(
    'cpuset-mems',
    text((draft, value) => (draft.host.CpusetMems = value)),
  ),
  carried(
    'blkio-weight',
    integer((draft, n) => (draft.host.BlkioWeight = n), 0, 1000),
  ),
  carried('blkio-weight-device', weightDevice),
  carried('device-read-bps', throttle('BlkioDeviceReadBps', parseBytes)),
  carried('device-write-bps', throttle('BlkioDeviceWriteBps', parseBytes)),
  carried('device-read-iops', throttle('BlkioDeviceReadIOps', operations)),
  carried('device-write-iops', throttle('BlkioDeviceWriteIOps', operations)),
]

const understoodFlags: readonly DockerFlag[] = [
  toggle('detach', () => {}, { short: 'd' }, 'understood'),
  toggle('rm', () => {}, {}, 'understood'),
  {
    name: 'name',
    takes: 'value',
    fate: {
      kind: 'understood',
      apply: (draft, value) => {
        if (!/^[a-zA-Z0-9]/.test(value)) return `${value} is not a container's name`
        draft.name = value
        return undefined
      },
    },
  },
  {
    name: 'pull',
    takes: 'value',
    fate: {
      kind: 'understood',
      apply: (draft, value) => {
        if (value !== 'always' && value !== 'missing' && value !== 'never') {
          return `${value} is not one of always, missing, never`
        }
        draft.pullPolicy = value
        return undefined
      },
    },
  },
]

const refusedFlags: readonly DockerFlag[] = [
  refused('restart', 'value', 'the agent restarts containers itself: say Restart= in [Service]'),
  refused('attach', 'value', 'nothing is attached: read the output with `jangada logs`', {
    short: 'a',
  }),
  refused(
    'sig-proxy',
    'boolean',
    'no client stands before the container: signals go straight to it',
  ),
  refused('detach-keys', 'value', 'nothing is attached, so nothing can be detached'),
  refused('cidfile', 'value', 'no client writes a file: the id is in the unit state'),
  refused('help', 'boolean', 'it would print the usage and start nothing'),
  refused('link', 'value', namedByJangada),
  refused('volumes-from', 'value', namedByJangada),
  refused('platform', 'value', 'a container runs on the platform of its machine: choose machines'),
  refused('isolation', 'value', 'only Windows has it'),
  refused(
    'disable-content-trust',
    'boolean',
    'image signatures of Docker Content Trust are not checked; name the image by its digest',
  ),
]

/** In the order of Docker's own list. */
export const dockerFlags: readonly DockerFlag[] = [
  ...processFlags,
  ...securityFlags,
  ...networkFlags,
  ...storageFlags,
  ...resourceFlags,
  ...understoodFlags,
  ...refusedFlags,
].toSorted((a, b) => (a.name < b.name ? -1 : 1))

const byLongName = new Map(
  dockerFlags.flatMap((flag) =>
    [flag.name, ...(flag.aliases ?? [])].map((name) => [name, flag] as const),
  ),
)
const byShortName = new Map(
  dockerFlags.flatMap((flag) => (flag.short === undefined ? [] : [[flag.short, flag] as const])),
)

export const longFlag = (name: string): DockerFlag | undefined => byLongName.get(name)
export const shortFlag = (letter: string): DockerFlag | undefined => byShortName.get(letter)
