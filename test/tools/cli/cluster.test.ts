import t from 'tap'
import { JangadaError } from '../../../src/base/errors.ts'
import { members, placements, states } from '../../../src/core/records/keyspace.ts'
import { parseToken } from '../../../src/core/trust/token-text.ts'
import type { InitConfig, JoinConfig, UpConfig } from '../../../src/daemon/config.ts'
import { targetOf } from '../../../src/tools/cli/node-client.ts'
import { ids, machine, placement, state, unitFile } from '../../node/api/fixture.ts'
import { makeDesk } from './fixture.ts'

t.test('machines, their labels, and who leads', async (t) => {
  const { node, say } = await makeDesk(t)
  t.same((await say('machines')).out.split('\n'), [
    'MACHINE      IP         METADATA  NAME  STATUS',
    '11111111...  10.77.0.1  -         n1    ready',
    '22222222...  10.77.0.2  disk=ssd  n2    ready',
    '',
  ])
  t.match(await say('metadata n1 zone=a disk='), { code: 0, out: 'n1: zone=a\n' })
  t.match(await say('metadata n1 zone'), { code: 2, err: /write KEY=VALUE/ })
  t.match(await say(['metadata', 'n1', 'bad key=x']), { code: 2, err: /JGD_BAD_REQUEST/ })
  t.notMatch((await say('machines --full')).out, /bad key/)
  t.match(JSON.parse((await say('machines --json')).out), {
    machines: [{ name: 'n1', metadata: { zone: 'a' } }, { name: 'n2' }],
  })
  t.match((await say('machines --fields=name,status,role')).out, /n2 +ready +client/)
  t.match(await say('machines --pending'), { code: 0, err: 'nobody waits to be admitted\n' })
  t.match(await say('machines --fields=colour'), { code: 2, err: /no column "colour"/ })
  const member = { v: 1, memberId: 1, machineId: ids.n1, address: 'a', incarnation: 'i' } as const
  node.store.put(members.put({ ...member, addedMs: 1 }, '1'))
  t.match((await say('leader')).out, /1 +11111111\.\.\. +n1 +a +voter +leader/)
  t.match(await say('leader transfer n1'), { code: 0, out: 'n1 (member 1) leads\n' })
  t.match(await say('leader transfer n2'), { code: 1, err: /n2 does not vote/ })
})

t.test('what a machine cannot be called, and where it cannot be', async (t) => {
  const { say } = await makeDesk(t)
  t.match(await say(['init', '--name', 'a b/c']), { code: 2, err: /--name a b\/c: a name has/ })
  t.match(await say('init --address 999.1.1.1'), { code: 2, err: /write an IPv4 address/ })
  t.match(await say('up --link eth0 --link eth1'), { code: 2, err: /a node serves one/ })
  t.match(await say('snapshot'), { code: 2, err: /needs a word more.*\nnext: .*snapshot save/ })
})

t.test('who is interrupted is told so, and not that the node is away', async (t) => {
  const { node, say } = await makeDesk(t)
  const stop = new AbortController()
  node.store.range = () => {
    stop.abort()
    return new Promise(() => undefined)
  }
  const { code, err } = await say('machines', { signal: stop.signal })
  t.equal(code, 130)
  t.match(err, /^jangada: interrupted/)
})

t.test('status says first what is not as it should be', async (t) => {
  const { node, say } = await makeDesk(t)
  node.store.put(machine(ids.n2, 'n2', { status: 'lost' }))
  const { code, out } = await say('status')
  t.equal(code, 0)
  t.match(out, /machines +1 of 2 ready/)
  t.match(out, 'not as it should be:\n  n2 is lost')
  t.match(JSON.parse((await say('status --json')).out), { cluster: node.init.clusterId })
})

t.test('what is old is shown with its age, once', async (t) => {
  const { node, say } = await makeDesk(t)
  node.store.leadership = { ...node.store.leadership, hasQuorum: false, staleForMs: 4200 }
  const { code, out, err } = await say('machines')
  t.match({ code, out }, { code: 0, out: /10\.77\.0\.1/ })
  t.equal(err, 'jangada: this node knows of no quorum; what follows is at least 4.2 s old\n')
  t.match(await say('token'), { code: 1, err: /JGD_NO_QUORUM/ })
})

t.test('tokens: one line for a script, and a word of help for a person', async (t) => {
  const { say } = await makeDesk(t)
  const script = await say('token --voter --uses 2')
  t.equal(script.err, '')
  t.equal(parseToken(script.out)?.use, 'join')
  t.match(await say('token', { isTty: true }), { err: /jangada join ADDRESS/ })
  const both = await say('token --scope read --voter')
  t.match(both, { code: 2, out: '', err: /--scope is about the API/ })
  const read = await say('token create --scope read --ttl 30m')
  t.equal(parseToken(read.out)?.use, 'api')
  const rows = (await say('token ls --no-legend')).out.split('\n')
  t.ok(rows.some((row) => /machine +voter +2 /.test(row)))
  const id = parseToken(read.out)?.id ?? ''
  t.match(await say(`token rm ${id}`), { code: 0 })
  t.match(await say(`token rm ${id}`), { code: 1, err: /JGD_NOT_FOUND/ })
  t.match(await say('token --ttl soon'), { code: 2 })
  t.match(await say('token --uses 0'), { code: 2, err: /\nnext: jangada token --help\n$/ })
})

t.test('init, join and up are told what the command line says', async (t) => {
  const { say } = await makeDesk(t)
  let init: InitConfig | undefined
  const made = { clusterId: 'c', machineId: 'm', adminToken: 'A1.x' }
  const first = await say('init --name n1 --state-dir /s --admission auto --voters 5', {
    init: async (config) => {
      init = config
      return made
    },
  })
  t.match(first, { code: 0, out: /admin token, shown this once: A1\.x/ })
  t.match(init, { name: 'n1', stateDirectory: '/s', admission: 'auto', voters: 5 })
  t.match(init, { address: undefined, ports: { plain: 7380, api: 7381, peer: 7382 } })

  let join: JoinConfig | undefined
  const token = (await say('token')).out.trim()
  const joined = await say(`join 10.0.0.1 --token ${token}`, {
    join: async (config, onPending) => {
      join = config
      onPending('abc')
      return made
    },
  })
  t.match(joined, { code: 0, err: /jangada admit abc/ })
  t.match(join, { door: '10.0.0.1', token, stateDirectory: '/var/lib/jangada' })
  const half = await say(`join 10.0.0.1 --token ${token.slice(0, -9)}`)
  t.match(half, { code: 2, err: /no join token, or not the whole of one/ })
  t.match(await say('join 10.0.0.1'), { code: 2, err: /--token is missing/ })

  let up: UpConfig | undefined
  const env = {
    up: async (config: UpConfig) => {
      up = config
    },
  }
  t.equal((await say('up', env)).code, 0)
  t.match(up, { bootLinks: [], metadata: {}, logLevel: 'info', join: undefined })
  t.same(up?.dockerSocket, '/var/run/docker.sock')
  const line =
    'up --link eth0 --metadata disk=ssd --metadata a=b=c --join h --token J1.y ' +
    '--docker-socket /d --socket /x --log-level debug --port-api 17381'
  t.equal((await say(line, env)).code, 0)
  t.match(up, {
    bootLinks: ['eth0'],
    metadata: { disk: 'ssd', a: 'b=c' },
    join: { door: 'h', token: 'J1.y' },
    dockerSocket: '/d',
    socketPath: '/x',
    logLevel: 'debug',
    ports: { plain: 7380, api: 17381 },
  })
})

t.test('an image is sent as a stream, with its progress', async (t) => {
  const sha256 = 'a'.repeat(64)
  const manifest = { name: 'jangada', version: '1', kernel: '6.1', files: [] } as never
  let bytes = 0
  const { say } = await makeDesk(t, {
    images: {
      list: async () => [{ sha256, manifest }],
      import: async (archive) => {
        for await (const part of archive) bytes += part.length
        return { sha256, manifest }
      },
      remove: async () => false,
    },
  })
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 64; n += 1) yield new Uint8Array(16_384)
  }
  const openFile = async () => ({ bytes: 1_048_576, chunks: chunks() })
  const { code, out, err } = await say(`image import f --sha256 ${sha256}`, { openFile })
  t.same(
    { code, bytes, out },
    { code: 0, bytes: 1_048_576, out: 'Image jangada (1, kernel 6.1) is here\n' },
  )
  t.match(err, 'sent 1.0 MiB of 1.0 MiB')
  t.match((await say('image ls')).out, /jangada +1 +6\.1/)
  t.match(await say('image rm other'), { code: 1, err: /JGD_NOT_FOUND/ })
})

t.test('the rack gets what was typed, its command whole', async (t) => {
  const { say } = await makeDesk(t)
  const asked: unknown[] = []
  const commands = {
    exec: async (_: unknown, args: unknown) => {
      asked.push(args)
      return 7
    },
    up: async (_: unknown, args: unknown) => {
      asked.push(args)
      return 0
    },
  }
  const rack = async () => ({ commands, context: {} }) as never
  t.equal((await say('rack exec n1 -- docker ps -a --format x', { rack })).code, 7)
  t.equal((await say('rack up --hosts 2 --blank 1 --replace', { rack })).code, 0)
  t.match(asked, [
    { machine: 'n1', command: ['docker', 'ps', '-a', '--format', 'x'] },
    { hosts: 2, blanks: 1, replace: true },
  ])
  t.match(await say('rack dance', { rack }), { code: 2, err: /no "rack dance"/ })
})

t.test('help for everyone, and usage errors that say where it is', async (t) => {
  const { say } = await makeDesk(t)
  const { code, out } = await say('--help')
  t.equal(code, 0)
  const names = [...out.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?) {2,}/gm)].map(([, name = '']) => name)
  t.ok(names.length > 25)
  for (const name of names) {
    const help = await say([...name.split(' '), '--help'])
    t.match(help, { code: 0, err: '' }, name)
    t.match(help.out, `jangada ${name}`)
    t.match(help.out, 'Options:')
  }
  t.same(await say('help units'), await say('units --help'))
  t.match(await say('fly'), { code: 2, err: /there is no command "fly"/ })
  t.match(await say('units --filds=unit'), { code: 2, err: /--filds; did you mean --fields\? / })
  t.match(await say('units --colour -q'), { code: 2, err: /there is no option --colour, -q/ })
  t.match(await say('token --ttl'), { code: 2, err: /--ttl needs a value/ })
  const choice = await say('token --scope king')
  t.match(choice, { code: 2, err: /--scope is one of machine, read, deploy, admin; not "king"/ })
  t.match(await say('cat'), { code: 2, err: /usage: jangada cat NAME/ })
  t.match(await say(['']), { code: 2 })
})

t.test('without a node there is a hint; elsewhere is named with a token', async (t) => {
  const { node, say } = await makeDesk(t)
  const nobody = await say('units --endpoint unix:///nowhere.sock')
  t.match(nobody, { code: 1, err: /JGD_UNREACHABLE\)\nnext: .*jangada up/ })
  t.match(await say('units --endpoint https://h:7381'), { code: 2, err: /needs an API token/ })
  const token = node.init.adminToken
  t.match(targetOf('https://10.0.0.1', token, '/s', 7381), {
    kind: 'tls',
    host: '10.0.0.1',
    port: 7381,
    pin: parseToken(token)?.pin,
  })
  t.match(targetOf('h:99', token, '/s', 7381), { host: 'h', port: 99 })
  t.match(await say('version'), { code: 0, out: 'client 0.1.0\nnode   0.1.0\n' })
  t.match(await say('version --endpoint unix:///nowhere.sock'), { code: 0, out: /no node answers/ })
})

t.test('a machine is drained: what is left to move is told until nothing is', async (t) => {
  const { node, say } = await makeDesk(t)
  node.store.put(machine(ids.n2, 'n2'), machine(ids.n3, 'n3'))
  for (const name of ['a.service', 'b.service', 'all.service']) {
    const rest = name === 'all.service' ? '[X-Fleet]\nGlobal=true\n' : ''
    await node.ask('PUT', `/v1/units/${name}`, {
      file: unitFile('busybox', rest),
      desired: 'launched',
    })
    node.store.put(placement(name, ids.n2))
  }
  const leaves = (name: string): void =>
    node.store.put({ kind: 'delete', key: placements.key(ids.n2, name) })
  const left = ['a.service', 'b.service']
  const sleep = async (): Promise<void> => {
    const next = left.shift()
    if (next !== undefined) leaves(next)
  }
  const drained = await say('drain n2', { sleep })
  t.same(drained, {
    code: 0,
    out: 'n2: 2 units to move\nn2: 1 units to move\nn2 is drained\n',
    err: '',
  })
  t.match((await say('machines --full')).out, /n2 +ready, drains/)
  t.match((await say('events')).out, /n2 drains: its units go elsewhere/)
  t.match(await say('drain n2 --no-block --deadline 10m'), { code: 0, out: 'n2 drains\n' })
  const { value } = await node.ask('GET', '/v1/machines')
  const { drain } = value.machines.find(({ name }: { name: string }) => name === 'n2')
  t.equal(drain.deadlineMs - drain.sinceMs, 600_000)
  t.match(await say('drain n2 --deadline soon'), { code: 2, err: /write a time such as 30s/ })
  t.match(await say('drain n9'), { code: 1, err: /JGD_NOT_FOUND/ })

  node.store.put(state(node, 'b.service', ids.n2, { active: 'deactivating' }))
  const stopping = (await node.ask('GET', '/v1/machines')).value.machines
  t.equal(stopping[1].unitsToMove, 1, 'what is being stopped is not gone yet')
  node.store.put({ kind: 'delete', key: states.key(ids.n2, 'b.service') })

  node.store.put(placement('a.service', ids.n2))
  const undrain = async (): Promise<void> =>
    void (await node.ask('POST', '/v1/machines/n2/undrain'))
  t.match(await say('drain n2', { sleep: undrain }), { code: 1, err: /somebody has ended it/ })
  t.match(await say('undrain n2'), { code: 0, out: 'n2 takes units\n' })
  const stop = new AbortController()
  const interrupt = async (): Promise<void> => stop.abort()
  const cut = await say('drain n2', { sleep: interrupt, signal: stop.signal })
  t.ok(cut.code === 1 || cut.code === 130, 'Ctrl-C ends the waiting')
  t.not((await node.ask('GET', '/v1/machines')).value.machines[1].drain, null, 'and not the drain')
})

t.test('a drain that stands still says what keeps the units that are left', async (t) => {
  const { node, say } = await makeDesk(t)
  const files = {
    'ssd.service': 'MachineMetadata=disk=ssd',
    'free.service': '',
    'all.service': 'Global=true',
  }
  for (const [name, rule] of Object.entries(files)) {
    const file = unitFile('busybox', `[X-Fleet]\n${rule}\n`)
    await node.ask('PUT', `/v1/units/${name}`, { file, desired: 'launched' })
    node.store.put(placement(name, ids.n2))
  }
  for (const name of ['slow.service', 'gone.service']) {
    await node.ask('PUT', `/v1/units/${name}`, { file: unitFile('busybox'), desired: 'launched' })
    node.store.put(state(node, name, ids.n2))
  }
  node.store.put(placement('slow.service', ids.n1))
  await node.ask('DELETE', '/v1/units/gone.service')
  let nowMs = 0
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms
    if (nowMs > 30_000) {
      for (const name of Object.keys(files))
        node.store.put({ kind: 'delete', key: placements.key(ids.n2, name) })
      for (const name of ['slow.service', 'gone.service'])
        node.store.put({ kind: 'delete', key: states.key(ids.n2, name) })
    }
  }
  const drained = await say('drain n2', { sleep, monotonicMs: () => nowMs })
  t.same(drained.out.split('\n'), [
    'n2: 4 units to move',
    '  free.service: until it runs on n1, or more like it run',
    '  slow.service: it is being stopped',
    '  ssd.service: n1: MachineMetadata asks for disk=ssd; it is not set',
    '  gone.service: it is being stopped',
    'waiting until they can leave; a --deadline would end that. To end this wait takes nothing back: n2 drains on',
    'n2 is drained',
    '',
  ])
})

t.test('what would be better placed elsewhere is listed, and moved only on demand', async (t) => {
  const { node, say } = await makeDesk(t)
  node.store.put(machine(ids.n2, 'n2'))
  t.match(await say('rebalance'), { code: 0, out: /every unit is as well placed as it can be/ })
  for (const name of ['a.service', 'b.service']) {
    await node.ask('PUT', `/v1/units/${name}`, { file: unitFile('busybox'), desired: 'launched' })
    node.store.put(placement(name, ids.n2))
  }
  t.match(await say('rebalance'), {
    code: 0,
    out: /a\.service +n2 +n1 +0 units; where it is: 1 units[^]*1 would move: jangada rebalance --apply/,
  })
  t.equal(JSON.parse((await say('rebalance --json')).out).moves[0].to.name, 'n1')
  t.match((await say('events')).out, /^(?![^]*moves from)/, 'nothing was written')
  const steps = [
    () => node.store.put(placement('a.service', ids.n1)),
    () => node.store.put(state(node, 'a.service', ids.n1)),
    () => node.store.put({ kind: 'delete', key: placements.key(ids.n2, 'a.service') }),
  ]
  const sleep = async (): Promise<void> => steps.shift()?.()
  const ahead = { sleep, wallMs: () => Date.now() + 3_600_000 }
  t.match(
    await say('rebalance --apply', ahead),
    { code: 0, out: 'a.service: n2 to n1\n' },
    'whatever the clock of the keyboard',
  )
  t.match((await say('events')).out, /a\.service moves from n2, its replacement first/)
  t.match(await say('rebalance --max 0'), { code: 2, err: /--max is a whole number/ })
  for (const [name, why] of [
    ['nowhere.service', /JGD_UNIT_UNKNOWN/],
    ['c.service', /on no machine/],
    ['all.service', /runs on every machine/],
  ] as const) {
    const rest = name === 'all.service' ? '[X-Fleet]\nGlobal=true\n' : ''
    if (name !== 'nowhere.service') {
      await node.ask('PUT', `/v1/units/${name}`, { file: unitFile('busybox', rest) })
    }
    t.match((await node.ask('POST', `/v1/units/${name}/move`)).text, why)
  }
})

t.test('what every command understands may stand before it, as with fleetctl', async (t) => {
  const { say } = await makeDesk(t)
  t.match(JSON.parse((await say('--json machines')).out), { machines: [{ name: 'n1' }, {}] })
  t.match(await say('--endpoint ftp://x machines'), { code: 2, err: /endpoint/ })
  t.match(await say('--endpoint=ftp://x list-machines'), { code: 2, err: /endpoint/ })
  t.match(await say('--nosuch machines'), { code: 2, err: /no command "--nosuch"/ })
  t.match(await say('--json'), { code: 2 })
})

t.test('a lost machine is not drained for nothing before it is told that it is lost', async (t) => {
  const { node, say } = await makeDesk(t)
  node.store.put(machine(ids.n2, 'n2', { status: 'lost' }))
  t.match(await say('leave n2'), { code: 1, err: /n2 is lost.*\nnext: .*leave n2 --force/ })
  t.match(JSON.parse((await say('machines --json')).out), { machines: [{}, { drain: null }] })
  t.match((await say('machines')).out, /n2 +lost/)
  t.match(await say('top'), { code: 1, err: 'no answer from n2\n' })
})

t.test('one that does not move after all holds up no other', async (t) => {
  const { node, say } = await makeDesk(t)
  node.store.put(machine(ids.n2, 'n2'))
  for (const name of ['a.service', 'b.service', 'c.service', 'd.service']) {
    await node.ask('PUT', `/v1/units/${name}`, { file: unitFile('busybox'), desired: 'launched' })
    node.store.put(placement(name, ids.n2))
  }
  const units = JSON.parse((await say('rebalance --json')).out).moves.map(
    (move: { unit: string }) => move.unit,
  )
  t.same(units, ['a.service', 'b.service'])
  const moving = { untilMs: Date.now() + 300_000 }
  node.store.put(placement('a.service', ids.n2, { moving }))
  const sleep = async (): Promise<void> => {
    node.store.put(placement('b.service', ids.n1), state(node, 'b.service', ids.n1))
    node.store.put({ kind: 'delete', key: placements.key(ids.n2, 'b.service') })
  }
  t.match(await say('rebalance --apply', { sleep }), {
    code: 1,
    out: 'b.service: n2 to n1\n',
    err: /a\.service is left where it is: a\.service moves already/,
  })
})

t.test('what units use stands beside what they reserve, and who is silent is named', async (t) => {
  const { node, say } = await makeDesk(t, {
    unitUsage: async (id) => {
      if (id === ids.n2) throw new JangadaError('JGD_MACHINE_UNREACHABLE', 'n2 does not answer')
      return [
        { unit: 'small.service', memoryBytes: 5 * 2 ** 20, cpus: 0.25 },
        { unit: 'big.service', memoryBytes: 300 * 2 ** 20, cpus: 1.5 },
      ]
    },
  })
  node.store.put(machine(ids.n1, 'n1'), machine(ids.n2, 'n2'))
  const file = unitFile('--memory 512m busybox')
  await node.ask('PUT', '/v1/units/big.service', { file, desired: 'launched' })
  t.match(await say('top n1'), {
    code: 0,
    out: /big\.service +n1 +1\.50 +300[^]* +512[^]*small\.service +n1 +0\.25 +5/,
    err: '',
  })
  t.match(await say('top'), { code: 1, out: /big/, err: 'no answer from n2\n' })
  t.equal(JSON.parse((await say('top n1 --json')).out).units[0].used.cpus, 0.25)
  t.match(await say('top n9'), { code: 1, err: /JGD_NOT_FOUND/ })
})
