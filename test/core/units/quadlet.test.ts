import t from 'tap'
import { containerOf, refusals, specOf } from './helpers.ts'

const container = (...lines: readonly string[]): string =>
  ['[Container]', 'Image=example/web:1.2', ...lines].join('\n')
const dockerRun = (flags: string, command = ''): string =>
  `[Service]\nExecStart=/usr/bin/docker run ${flags} example/web:1.2 ${command}`

t.test('the section and the docker run line give the same container', async (t) => {
  const section = container(
    'PublishPort=8080:80',
    'PublishPort=8443:443',
    'Environment=A=1 "B=two words"',
    'Environment=NAME=%i',
    'Volume=/srv/%p:/data:ro',
    'Memory=512m',
    'Cpus=1.5',
    'ShmSize=1g',
    'AddCapability=NET_ADMIN SYS_TIME',
    'NoNewPrivileges=yes',
    'ReadOnly=true',
    'RunInit=false',
    'User=1000',
    'Group=1001',
    'HostName=replaced',
    'HostName=web-%i',
    'PodmanArgs=--oom-score-adj 100 --cpu-shares=512',
    'Exec=serve "the $HOME" %i',
  )
  const line = dockerRun(
    '-p 8080:80 -p 8443:443 -e A=1 -e "B=two words" -e NAME=%i -v /srv/%p:/data:ro -m 512m --cpus 1.5 ' +
      '--shm-size 1g --cap-add NET_ADMIN --cap-add SYS_TIME --security-opt no-new-privileges --read-only ' +
      '-u 1000:1001 --hostname web-%i --oom-score-adj 100 --cpu-shares 512',
    'serve "the $$HOME" %i',
  )
  const name = 'web@3.service'
  t.same(containerOf(specOf(section, name)), containerOf(specOf(line, name)))
})

t.test('an entry point that is a list goes on before the command', async (t) => {
  const { Entrypoint, Cmd } = containerOf(
    specOf(container('Entrypoint=["/bin/sh", "-c"]', 'Exec="echo hi"')),
  )
  t.same({ Entrypoint, Cmd }, { Entrypoint: ['/bin/sh'], Cmd: ['-c', 'echo hi'] })
  t.match(refusals(container('Entrypoint=[1]')), [
    /^3: Entrypoint=\[1\]: write a program, or a list/,
  ])
})

t.test('the other sections keep their say', async (t) => {
  const spec = specOf(
    `${container('ContainerName=web')}\n[Service]\nRestart=on-failure\nExecStop=docker stop -t 5 web\n[X-Fleet]\nGlobal=true`,
  )
  t.match(spec, { restart: 'on-failure', stop: { graceMs: 5000 }, placement: { global: true } })
  t.equal(spec.image, 'example/web:1.2')
})

t.test('a template waits for its instances', async (t) => {
  const text = container('HostName=web-%i', 'Exec=echo %i')
  t.equal(specOf(text, 'web@.service').kind, 'template')
  t.same(containerOf(specOf(text, 'web@7.service')).Cmd, ['echo', '7'])
})

t.test('what is wrong is told of the key that says it, on its line', async (t) => {
  for (const [line, reason] of [
    ['PublishPort=80:x', /^3: PublishPort=80:x: 80:x: write \[\[ip:\]/],
    ['Memory=much', /^3: Memory=much: much is not a size/],
    ['User=\nGroup=5', /^4: Group=5: say User= too/],
    ['ReadOnly=perhaps', /^3: ReadOnly=perhaps: write true or false/],
    ['Environment="A=1', /^3: Environment="A=1: a quote/],
    ['HostName=%q', /^3: HostName=%q: %q: understood are/],
    ['Network=other\nIP=x', /^4: IP=x: x is not an IPv4 address/],
    ['PodmanArgs=--restart always', /^2: --restart: the agent restarts containers itself/],
    ['Pod=web.pod', /^3: Pod= in \[Container\] is not understood: say MachineOf=/],
    ['PublishPorts=80', /write PublishPort=/],
  ] as const) {
    const [first = ''] = refusals(container(line))
    t.match(first, reason, line)
  }
  t.match(refusals('[Container]\nExec=x'), [/^2: Image= is missing/])
  const both = `${container()}\n${dockerRun('')}`
  t.match(refusals(both), [/^4: ExecStart=: \[Container\] says what runs/])
  t.match(refusals(container('Image=-d', 'Exec=b')), [/^3: "-d" is not the name of an image/])
})

t.test('other files of Quadlet are not taken for names', async (t) => {
  for (const [line, reason] of [
    [
      'Volume=data.volume:/data:ro',
      /^3: Volume=data.volume:\/data:ro: it names another file.*systemd-data\)/,
    ],
    ['Network=back.network:alias=db', /^3: Network=.*name the network itself.*systemd-back\)/],
    ['Network=db.container', /name the network itself/],
    ['Mount=type=volume,source=data.volume,target=/d', /^3: Mount=.*systemd-data\)/],
    ['Image=web.build', /^3: Image=web.build: it names another file.*systemd-web\)/],
  ] as const) {
    t.match(refusals(container(line)), [reason], line)
  }
  t.ok(specOf(container('Volume=data.volume:/data')), 'a unit that is there already goes on')
  const alike = ['Volume=/srv/data.volume:/data', 'Volume=volume:/data', 'Network=network']
  t.same(refusals(container(...alike, 'Image=example/web.build:1.image')), [])
})
