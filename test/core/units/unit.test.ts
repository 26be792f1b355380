import { readFileSync, readdirSync } from 'node:fs'
import t from 'tap'
import { instantiate, parseUnit, parseUnitOptions } from '../../../src/core/units/unit.ts'
import {
  containerOf,
  onMachine,
  problemsOf,
  refusals,
  someMachine,
  specOf,
  withFleet,
  withService,
} from './helpers.ts'

/** A unit as people bring it from CoreOS. */
const fromCoreOs = `[Unit]
Description=My app
After=docker.service network-online.target cache.service
Requires=docker.service
BindsTo=cache.service

[Service]
TimeoutStartSec=0
KillMode=none
EnvironmentFile=-/etc/environment
ExecStartPre=-/usr/bin/docker kill %p-%i
ExecStartPre=-/usr/bin/docker rm %p-%i
ExecStartPre=/usr/bin/docker pull busybox:\${TAG}
ExecStart=/usr/bin/docker run --rm --name %p-%i -p \${COREOS_PRIVATE_IPV4}:80:80 busybox:\${TAG} httpd -f
ExecStop=/usr/bin/docker stop -t 3 %p-%i
Restart=on-failure
RestartSec=2min

[Install]
WantedBy=multi-user.target

[X-Fleet]
Conflicts=%p@*.service
MachineMetadata="region=eu" "disk=ssd" "disk=nvme"
`

t.test('a unit as people bring it from CoreOS', async (t) => {
  const spec = specOf(fromCoreOs, 'app@7.service')
  t.match(spec, {
    kind: 'instance',
    prefix: 'app',
    instance: '7',
    templateName: 'app@.service',
    description: 'My app',
    restart: 'on-failure',
    restartDelayMs: 120_000,
    timeoutStartMs: undefined,
    timeoutStopMs: 90_000,
    killMode: 'none',
    stop: { signal: undefined, graceMs: 3000 },
    dependencies: { after: ['cache.service'], requires: [], wants: [], bindsTo: ['cache.service'] },
    placement: {
      conflicts: ['app@*.service'],
      metadata: { region: ['eu'], disk: ['ssd', 'nvme'] },
      global: false,
    },
  })
  t.same(
    spec.steps.map(({ phase, action, ignoreFailure }) => [phase, action.kind, ignoreFailure]),
    [
      ['start-pre', 'kill', true],
      ['start-pre', 'remove', true],
      ['start-pre', 'pull', false],
      ['stop', 'stop', false],
    ],
  )
  t.same(JSON.parse(JSON.stringify(spec)).container, spec.container, 'it survives JSON')
})

t.test('and the container that it becomes on a machine', async (t) => {
  const spec = specOf(fromCoreOs, 'app@7.service')
  t.same(onMachine(spec), { kind: 'needs-files', paths: ['/etc/environment'] })
  const file = { '/etc/environment': 'COREOS_PRIVATE_IPV4=10.0.0.4\nTAG=1.36\n' }
  t.same(onMachine(spec, file), {
    kind: 'ready',
    pullPolicy: 'missing',
    pulls: [{ image: 'busybox:1.36', ignoreFailure: false }],
    container: {
      Image: 'busybox:1.36',
      Cmd: ['httpd', '-f'],
      ExposedPorts: { '80/tcp': {} },
      HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '10.0.0.4', HostPort: '80' }] } },
    },
  })
  const bad = onMachine(spec, { '/etc/environment': null })
  t.match(bad, { kind: 'problem', problems: [{ line: 14, file: 'app@7.service' }] })
})

t.test('a line that fits some machines’ ids and not others’ is refused at submit', async (t) => {
  for (const flag of ['--gpus %m', '--shm-size %m', '--cpus=%m']) {
    const result = parseUnit('web.service', `[Service]\nExecStart=docker run ${flag} busybox`)
    t.equal(result.ok, false, flag)
  }
})

t.test('files that the machine must read are asked for, round by round', async (t) => {
  const spec = specOf(`[Service]
EnvironmentFile=/etc/%H.env
ExecStart=docker run --env-file \${DIR}/web.env -e FROM_UNIT b`)
  t.same(onMachine(spec), { kind: 'needs-files', paths: ['/etc/alpha.env'] })
  const first = { '/etc/alpha.env': 'DIR=/srv\nFROM_UNIT=1\n' }
  t.same(onMachine(spec, first), { kind: 'needs-files', paths: ['/srv/web.env'] })
  t.same(containerOf(spec, { ...first, '/srv/web.env': 'A=b c\n' }).Env, ['A=b c', 'FROM_UNIT=1'])
  t.match(onMachine(spec, { '/etc/alpha.env': null }), {
    kind: 'problem',
    problems: [{ reason: /EnvironmentFile=\/etc\/alpha.env: there is no such file/ }],
  })
  t.match(onMachine(spec, { ...first, '/srv/web.env': null }), {
    kind: 'problem',
    problems: [{ reason: /--env-file: \/srv\/web.env: there is no such file/, line: 3 }],
  })
})

t.test('a line is checked at submit as far as it is known', async (t) => {
  const lines = (run: string, more = ''): readonly string[] =>
    refusals(`[Service]\n${more}\nExecStart=docker run ${run}`)
  t.match(lines('--memory lots busybox'), [/^3: --memory: lots/])
  t.match(lines('--memory ${M} busybox', 'Environment=M=lots'), [/^3: --memory: lots/])
  t.match(lines('--memory ${M} busybox'), [/--memory: /], 'unset is empty, and empty is no size')
  const file = 'EnvironmentFile=/f'
  t.same(lines('--memory ${M} busybox', file), [], 'a file may yet say it')
  t.match(lines('--memory ${M} --link a busybox', file), [/--link/], 'the rest is checked')
  t.same(lines('$FLAGS --nonsense', file), [], 'after a word that may be flags nothing is known')
  t.match(lines('--nonsense $FLAGS', file), [/--nonsense: Docker 20.10 has no such flag/])
})

t.test('commands that are no container, and other containers, are refused', async (t) => {
  const exec = (line: string): string => refusals(withService(line)).join('\n')
  t.match(refusals('[Service]\nExecStart=/bin/sleep 100'), [/^2: .*a unit here is a container/])
  t.match(refusals('[Service]\nExecStart=/bin/sh -c "docker run b"'), [/^2: .*no shell runs/])
  t.match(refusals('[Service]\nExecStart=/usr/bin/bash -c x'), [/no shell runs/])
  t.match(refusals('[Service]\nExecStart=docker start web'), [/write docker run/])
  t.match(refusals('[Service]\nExecStart=docker run'), [/no image is named/])
  t.match(refusals('[Service]\nExecStart=@docker run b'), [/of the prefixes only -/])
  t.match(refusals('[Service]\nExecStart=docker run b\nExecStart=docker run c'), [/^3: .*one/])
  t.match(refusals('[Unit]\nDescription=x'), [/ExecStart= is missing/])
  t.match(exec('ExecStartPre=/usr/bin/mkdir /x'), /^3: .*a unit here is a container/)
  t.match(exec('ExecStartPre=docker rm other'), /only the unit's own container, web/)
  t.match(exec('ExecStartPre=docker rm web other'), /docker rm other/)
  t.match(exec('ExecStartPre=docker exec web x'), /understood are docker pull, kill, rm and stop/)
  t.match(exec('ExecStartPre=docker pull Bad/Name'), /not the name of an image/)
  t.match(exec('ExecStop=docker pull b'), /only ExecStartPre= pulls/)
  t.match(exec('ExecStop=docker stop -x web'), /this flag is not understood/)
  t.match(refusals('[Service]\nExecStart=docker run b\nExecStop=docker stop b'), [/with --name/])
  t.same(refusals('[Service]\nExecStart=docker run b\nExecStart=\nExecStart=docker run c'), [])
})

t.test('how a unit stops', async (t) => {
  const stop = (...lines: readonly string[]): unknown => specOf(withService(...lines)).stop
  t.same(stop(), { signal: undefined, graceMs: 90_000 })
  t.same(stop('TimeoutStopSec=5'), { signal: undefined, graceMs: 5000 })
  t.same(stop('TimeoutStopSec=infinity'), { signal: undefined, graceMs: undefined })
  t.same(stop('ExecStop=docker stop web'), { signal: undefined, graceMs: 10_000 })
  t.same(stop('ExecStop=docker stop --time=3 web'), { signal: undefined, graceMs: 3000 })
  t.same(stop('ExecStop=docker stop -t 60 web', 'TimeoutStopSec=5'), {
    signal: undefined,
    graceMs: 5000,
  })
  t.same(stop('ExecStop=docker kill web'), { signal: 'SIGKILL', graceMs: 90_000 })
  t.same(stop('ExecStop=docker kill -sint web'), { signal: 'SIGINT', graceMs: 90_000 })
  t.same(stop('ExecStop=docker rm -f web'), { signal: 'SIGKILL', graceMs: 90_000 })
  t.match(refusals(withService('KillMode=none')), [/^3: KillMode=none without ExecStop=/])
})

t.test('unknown sections and keys are refused with their line and what to do', async (t) => {
  t.match(refusals(`[Timer]\nOnCalendar=daily\n${withService()}`), [/^2: \[Timer\]: the sections/])
  t.match(refusals(withService('Type=notify')), [/^3: Type= in \[Service\] is not understood: a/])
  t.match(refusals(withService('restart=always')), [/write Restart=/])
  t.match(refusals(withService('constructor=1')), [/constructor= in \[Service\]/])
  t.match(refusals(`[constructor]\na=b\n${withService()}`), [/\[constructor\]: the sections/])
  t.match(refusals(withFleet('toString=1')), [/toString= in \[X-Fleet\]/])
  t.match(refusals(withService('Restart=maybe', 'RestartSec=x', 'KillMode=y')), [
    /^3: Restart=maybe/,
    /^4: RestartSec=x/,
    /^5: KillMode=y/,
  ])
  t.match(refusals(`[Unit]\nRequires=data.mount\n${withService()}`), [/^2: .*only services run/])
})

t.test('rules that fleet refuses at submit', async (t) => {
  const id = `MachineID=${someMachine}`
  const inFleetsWords = [
    [id, 'MachineOf=a.service', 'MachineID cannot be used with Peers (MachineOf)'],
    [id, 'Conflicts=a.service', 'MachineID cannot be used with Conflicts'],
    [id, 'Global=true', 'MachineID cannot be used with Global'],
    [id, 'Replaces=a.service', 'MachineID cannot be used with Replaces'],
    ['Global=true', 'MachineOf=a.service', 'Global cannot be used with Peers (MachineOf)'],
    ['Global=yes', 'Replaces=a.service', 'Global cannot be used with Replaces'],
    ['Conflicts=a.service', 'Replaces=b.service', 'Conflicts cannot be used with Replaces'],
    [
      'MachineOf=db-a.service',
      'Conflicts=db-*.service',
      'unresolvable requirements: peer "db-a.service" matches conflict "db-*.service"',
    ],
    [
      'MachineOf=db-a.service',
      'Replaces=db-?.service',
      'unresolvable requirements: peer "db-a.service" matches replace "db-?.service"',
    ],
  ] as const
  for (const [one, other, reason] of inFleetsWords) {
    const [refusal, ...more] = refusals(withFleet(one, other))
    t.ok(refusal?.endsWith(`: ${reason}`), `${refusal}`)
    t.same(more, [])
  }
  const several = parseUnit('web.service', withFleet('Conflicts=a.service b-*.service'))
  t.same(several.ok && several.spec.placement.conflicts, ['a.service', 'b-*.service'])
  t.same(refusals(withFleet('Global=true', 'Conflicts=a.service')), [])
  t.same(refusals(withFleet('Global=true', 'MachineMetadata=a=b')), [])
  t.same(refusals(withFleet('Global=false', 'MachineOf=a.service')), [])
  t.same(refusals(withFleet(id, 'MachineID=', 'MachineOf=a.service')), [], 'an empty one resets')
  const short = parseUnit('web.service', withFleet('MachineID=6d60378e'))
  t.equal(short.ok && short.spec.placement.machineId, '6d60378e', 'the short form of fleet')
})

t.test(
  'values in [X-Fleet] are read as fleet reads them, and not as words of systemd',
  async (t) => {
    const rules = (...lines: readonly string[]) => {
      const parsed = parseUnit('web.service', withFleet(...lines))
      return parsed.ok ? parsed.spec.placement : problemsOf(parsed).map(({ reason }) => reason)
    }
    t.match(rules('MachineOf=my\\x2dapp.service'), { machineOf: ['my\\x2dapp.service'] })
    t.match(rules('MachineOf="my\\x2dapp.service"'), { machineOf: ['my\\x2dapp.service'] })
    t.match(rules("Conflicts=it's-*.service"), { conflicts: ["it's-*.service"] })
    t.match(rules("Replaces='a'.service"), { replaces: ["'a'.service"] })
    t.match(rules('Conflicts="a.service"  "b-*.service c.service"'), {
      conflicts: ['a.service', 'b-*.service', 'c.service'],
    })
    t.match(rules('MachineMetadata="region=central europe" "disk=ssd"'), {
      metadata: { region: ['central europe'], disk: ['ssd'] },
    })
    t.match(rules('MachineMetadata=region=central europe'), {
      metadata: { region: ['central europe'] },
    })
    t.match(rules('MachineMetadata=name="x"'), { metadata: { name: ['"x"'] } })
    t.match(rules('Global="true"'), { global: true })
    t.match(rules('MachineMetadata="a=b'), [/between double quotes/])
    t.match(rules('Replaces="a.service" b.service"'), [/quote.* is not closed/])
  },
)

t.test('a unit has so many rules of a kind at most, and no pattern is endless', async (t) => {
  const lines = (key: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, at) => `${key}=x-${at}.service`)
  for (const key of ['MachineOf', 'Conflicts', 'Replaces']) {
    t.same(refusals(withFleet(...lines(key, 256))), [])
    t.same(refusals(withFleet(...lines(key, 300))), [
      `260: ${key}=: a unit has at most 256 of them`,
    ])
  }
  t.same(refusals(withFleet(`Conflicts=${'*'.repeat(1024)}`)), [])
  t.match(refusals(withFleet(`Conflicts=${'*'.repeat(1025)}`)), [/at most 1024 characters/])
})

t.test(
  'a name that no unit can have is refused of a new file; a unit that is there goes on',
  async (t) => {
    for (const [line, reason] of [
      ['Conflicts=db', /^4: Conflicts=db: no unit is called so; write db\.service/],
      ['Conflicts=a.service db', /^4: Conflicts=db: /],
      ['Replaces=old', /^4: Replaces=old: no unit is called so/],
    ] as const) {
      t.match(refusals(withFleet(line)), [reason], line)
      t.ok(parseUnit('web.service', withFleet(line)).ok, `${line} of an older release`)
    }
    for (const line of [
      'Conflicts=db*',
      'Conflicts=*',
      'Conflicts="a.service" "b*"',
      'Replaces=[ab]?',
    ]) {
      t.same(refusals(withFleet(line)), [], line)
    }
    t.same(refusals(withFleet('Conflicts=%p'), 'web@.service'), [])
  },
)

t.test('values in [X-Fleet] that could never match are refused', async (t) => {
  for (const line of [
    'MachineID=0123',
    'MachineID=6D60378E',
    'MachineID=%m',
    'MachineMetadata=ssd',
    'MachineMetadata=a=',
    'MachineMetadata=a=b=c',
    'MachineMetadata=a=b c=d',
    'MachineOf=web.service',
    'MachineOf=cache@.service',
    'MachineOf=cache',
    'Replaces=a.service b.service',
    'Conflicts=[',
    'Global=perhaps',
  ]) {
    t.match(refusals(withFleet(line)), [/^4: /], line)
  }
})

t.test('templates wait for their instances', async (t) => {
  const text = `[Service]
ExecStart=docker run --name %N -p 808%i:80 --hostname %i busybox echo %n
ExecStop=docker stop %N
[X-Fleet]
MachineOf=cache@%i.service`
  const template = parseUnit('web@.service', text)
  t.match(template, {
    ok: true,
    spec: { kind: 'template', placement: { machineOf: ['cache@%i.service'] } },
  })
  const third = instantiate('web@3.service', text)
  t.ok(third.ok)
  if (third.ok) {
    t.same(third.spec.placement.machineOf, ['cache@3.service'])
    t.match(containerOf(third.spec), { Hostname: '3', Cmd: ['echo', 'web@3.service'] })
  }
  t.match(problemsOf(instantiate('web@x.service', text)), [
    { file: 'web@.service', line: 2, reason: /^-p: 808x:80/ },
  ])
  t.match(problemsOf(instantiate('web.service', text)), [{ code: 'JGD_UNIT_NAME' }])
  t.match(problemsOf(parseUnit('web@.service', '[Service]\nExecStart=docker run --link a b')), [
    { reason: /--link/ },
  ])
})

t.test('options from the API are as good as a file', async (t) => {
  const options = [{ section: 'Service', name: 'ExecStart', value: 'docker run --link a b' }]
  t.match(problemsOf(parseUnitOptions('web.service', options)), [{ line: 0, file: 'web.service' }])
  t.match(problemsOf(parseUnit('web.socket', withService(), { file: 'x/web.socket' })), [
    { file: 'x/web.socket', code: 'JGD_UNIT_NAME' },
  ])
  t.match(problemsOf(parseUnit('web.service', 'x')), [{ line: 1, code: 'JGD_UNIT_SYNTAX' }])
})

t.test('each example parses, and says which unit runs where', async (t) => {
  const directory = new URL('../../../examples/', import.meta.url)
  const names = readdirSync(directory).filter((name) => /\.service(\.in)?$/.test(name))
  t.ok(names.length >= 9)
  for (const name of names) {
    const text = readFileSync(new URL(name, directory), 'utf8')
    const unit = name.replace(/\.in$/, '').replace('@.', '@1.')
    const spec = specOf(text.replace('@MACHINE_ID@', someMachine), unit)
    const container = containerOf(spec)
    t.equal(container.Image, 'busybox:jangada', name)
    t.equal(spec.pullPolicy, 'never', 'the image is imported, never pulled')
    t.same(container.Env?.[0], `UNIT=${unit}`)
    t.match(container.Env?.[1], /^MACHINE=(alpha|0123456789abcdef0123456789abcdef)$/)
    t.match(container.Cmd, ['sh', '-c', /\$UNIT.*\$MACHINE/])
  }
})

t.test('what a unit reserves is read from its line', async (t) => {
  const needs = (flags: string) =>
    specOf(`[Service]\nEnvironmentFile=/etc/x\nExecStart=docker run ${flags} busybox`).needs
  const none = { memoryBytes: 0, nanoCpus: 0, ports: [] }
  t.same(needs(''), none)
  t.same(needs('-m 512m --cpus 1.5'), { ...none, memoryBytes: 2 ** 29, nanoCpus: 1.5e9 })
  t.same(needs('-m 1g --memory-reservation 256m').memoryBytes, 2 ** 28, 'what it is to be sure of')
  t.equal(needs('--cpu-quota 50000').nanoCpus, 0.5e9)
  t.equal(needs('--cpu-quota 50000 --cpu-period 25000').nanoCpus, 2e9)
  t.equal(needs('--cpu-quota -1').nanoCpus, 0)
  t.same(
    needs('-p 8080:80 -p 10.0.0.1:53:53/udp -p 90 -p 0:91 -p 8000-8010:92 -p 70-71:70-71').ports,
    [
      { port: '8080/tcp', ip: '' },
      { port: '53/udp', ip: '10.0.0.1' },
      { port: '70/tcp', ip: '' },
      { port: '71/tcp', ip: '' },
    ],
  )
  t.equal(needs('-m 512m -e A=${LATER}').memoryBytes, 2 ** 29, 'known, whatever else is not yet')
  const section = specOf('[Container]\nImage=busybox\nMemory=512m\nCpus=2\nPublishPort=80:80')
  t.same(section.needs, {
    memoryBytes: 2 ** 29,
    nanoCpus: 2e9,
    ports: [{ port: '80/tcp', ip: '' }],
  })
})
