import { readFileSync } from 'node:fs'
import t from 'tap'
import { dockerFlags, longFlag, shortFlag } from '../../../src/core/units/docker-flags.ts'
import { dockerRun } from './helpers.ts'

/** `--name`, its letter and what it takes, as Docker 20.10's own help lists them. */
const listed = readFileSync(new URL('docker-run-20.10-flags.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => {
    const match = /^(?:-(\w), )?--([a-z0-9-]+)(?: (\S+))?$/.exec(line)
    return { short: match?.[1], name: match?.[2] ?? line, takes: match?.[3] }
  })

/** For each carried flag a value that changes something. */
const values: Readonly<Record<string, string>> = {
  'add-host': 'db:10.0.0.1',
  'blkio-weight': '300',
  'blkio-weight-device': '/dev/sda:300',
  'cap-add': 'SYS_ADMIN',
  'cap-drop': 'ALL',
  'cgroup-parent': '/parent',
  cgroupns: 'private',
  'cpu-period': '100000',
  'cpu-quota': '50000',
  'cpu-rt-period': '1000',
  'cpu-rt-runtime': '900',
  'cpu-shares': '512',
  cpus: '1.5',
  'cpuset-cpus': '0-1',
  'cpuset-mems': '0',
  device: '/dev/fuse',
  'device-cgroup-rule': 'c 1:3 r',
  'device-read-bps': '/dev/sda:1m',
  'device-read-iops': '/dev/sda:10',
  'device-write-bps': '/dev/sda:1m',
  'device-write-iops': '/dev/sda:10',
  dns: '9.9.9.9',
  'dns-option': 'ndots:2',
  'dns-search': 'example.org',
  domainname: 'example.org',
  entrypoint: '/bin/sh',
  env: 'A=1',
  'env-file': '/etc/web.env',
  expose: '80',
  gpus: 'all',
  'group-add': 'audio',
  'health-cmd': 'true',
  'health-interval': '5s',
  'health-retries': '3',
  'health-start-period': '5s',
  'health-timeout': '5s',
  hostname: 'web',
  ip: '10.0.0.9',
  ip6: '2001:db8::9',
  ipc: 'host',
  'kernel-memory': '64m',
  label: 'a=b',
  'label-file': '/etc/labels',
  'link-local-ip': '169.254.0.9',
  'log-driver': 'journald',
  'log-opt': 'tag=web',
  'mac-address': '92:d0:c6:0a:29:33',
  memory: '64m',
  'memory-reservation': '32m',
  'memory-swap': '-1',
  'memory-swappiness': '10',
  mount: 'type=tmpfs,dst=/t',
  network: 'host',
  'network-alias': 'www',
  'oom-score-adj': '100',
  pid: 'host',
  'pids-limit': '100',
  publish: '80:80',
  runtime: 'runc',
  'security-opt': 'no-new-privileges',
  'shm-size': '1g',
  'stop-signal': 'SIGINT',
  'stop-timeout': '5',
  'storage-opt': 'size=1G',
  sysctl: 'net.core.somaxconn=1',
  tmpfs: '/t',
  ulimit: 'nofile=1024',
  user: '1000',
  userns: 'host',
  uts: 'host',
  volume: '/a:/b',
  'volume-driver': 'local',
  workdir: '/srv',
}

/** What only counts on a network of one's own. */
const needsNetwork = new Set(['ip', 'ip6', 'link-local-ip', 'network-alias'])

t.test('every listed flag has one fate, and no other flag has any', async (t) => {
  t.equal(listed.length, 96, 'the list is whole')
  t.same(
    dockerFlags.map((flag) => flag.name),
    listed.map((flag) => flag.name).toSorted(),
  )
  for (const { name, short, takes } of listed) {
    const flag = longFlag(name)
    t.equal(flag?.short, short, `--${name} has the letter that Docker gives it`)
    t.equal(flag?.takes, takes === undefined ? 'boolean' : 'value', `--${name} takes what it takes`)
    if (short !== undefined) t.equal(shortFlag(short), flag)
  }
})

for (const flag of dockerFlags) {
  const value = flag.takes === 'boolean' ? undefined : (values[flag.name] ?? 'x')
  const base = needsNetwork.has(flag.name) ? ['--network', 'backend'] : []
  const words = [`--${flag.name}`, ...(value === undefined ? [] : [value])]
  const without = dockerRun([...base, 'busybox'])
  const result = dockerRun([...base, ...words, 'busybox'])
  if (flag.fate.kind === 'carried') {
    t.notSame(result, without, `--${flag.name} changes the container`)
    t.notOk(Array.isArray(result), `--${flag.name} is accepted: ${JSON.stringify(result)}`)
  } else if (flag.fate.kind === 'refused') {
    t.same(result, [`--${flag.name}: ${flag.fate.reason}`], `--${flag.name} is refused by name`)
  }
}

t.test('understood flags are taken and change nothing in the container', async (t) => {
  t.same(
    dockerRun(['-d', '--rm', '--name', 'web', '--pull', 'never', 'busybox']),
    dockerRun(['busybox']),
  )
  t.same(dockerRun(['--pull', 'sometimes', 'busybox']), [
    '--pull: sometimes is not one of always, missing, never',
  ])
})

t.test('what would mean something else on another machine is refused', async (t) => {
  for (const words of [
    ['--network', 'container:db'],
    ['--ipc=container:db'],
    ['--pid', 'container:db'],
    ['--device', '/dev/snd*'],
    ['-v', './data:/data'],
    ['--env-file', 'web.env'],
    ['--network', 'a', '--network', 'b'],
    ['--ip', '10.0.0.1'],
    ['--label', 'jangada.unit=other.service'],
  ]) {
    t.ok(Array.isArray(dockerRun([...words, 'busybox'])), words.join(' '))
  }
})

t.test('all reasons against a line are told at once', async (t) => {
  t.match(dockerRun(['--memory', 'x', '--link', 'db', 'busybox']), [/^--memory/, /^--link/])
})
