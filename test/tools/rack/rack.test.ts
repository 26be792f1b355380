/** The lab itself, with real engines. What it promises here is what every scenario relies on. */
import { renameSync, writeFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { onUnitStart } from '../../../src/tools/rack/engine.ts'
import { openRack, rackDown, rackUp } from '../../../src/tools/rack/lifecycle.ts'
import { compareOutside, snapshotOutside } from '../../../src/tools/rack/outside.ts'
import { processRef } from '../../../src/tools/rack/processes.ts'
import type { Rack } from '../../../src/tools/rack/rack.ts'
import { until } from '../../../src/tools/rack/world.ts'
import { realWorld } from './world.ts'

const world = realWorld()
const seconds = 1000
const name = `t${process.pid}`
const blankUuid = '5f6b2b52-5f0f-4a1c-9f43-9f1d5a2b7c11'
const hosts = ['n1', 'n2', 'n3']

const eventually = (what: string, look: () => Promise<boolean>): Promise<true> =>
  until(world.clock, { what, timeoutMs: 20 * seconds }, async () => (await look()) || undefined)

const pings = async (rack: Rack, from: string, to: string): Promise<boolean> => {
  const { address } = rack.host(to)
  return (await rack.exec(from, ['busybox', 'ping', '-c', '1', '-W', '1', address])).code === 0
}

/** Whether `host` has an established connection to port 9000 of n2, as its kernel sees it. */
const isConnected = async (rack: Rack, host: string): Promise<boolean> =>
  / 02004D0A:2328 01 /.test(await rack.sh(host, ['cat', '/proc/net/tcp']))

/** Programs for hosts: the rack is given Node as the binary, so that they need no other. */
const listen = ['jangada', '-e', "require('node:net').createServer().listen(9000)"]
const connect = [
  'jangada',
  '-e',
  "require('node:net').connect(9000, '10.77.0.2').on('close', () => setInterval(() => 0, 1000))",
]

const containers = async (rack: Rack, host: string): Promise<string[]> => {
  const said = await rack.sh(host, ['docker', 'ps', '-a', '--format', '{{.Names}} {{.State}}'])
  return said.trim().split('\n').toSorted()
}

t.setTimeout(120 * seconds)
const before = await snapshotOutside({ name })
t.teardown(() => rackDown(world, { name }))
const rack = await rackUp(world, {
  name,
  hosts: 3,
  blanks: [{ uuid: blankUuid, memoryMb: 256 }],
  binary: process.execPath,
})

await t.test('three hosts are three machines', async (t) => {
  const { hosts: statuses } = await rack.ls()
  for (const key of ['engineId', 'initPid', 'netns', 'address', 'mac', 'uuid'] as const) {
    const values = new Set(statuses.map((status) => status[key]))
    t.equal(values.size, 3, `each has its own ${key}`)
    t.notOk(values.has(null), `each has a ${key}`)
  }
  const boots = new Set<string>()
  const machineIds = new Set<string>()
  for (const status of statuses) {
    const read = async (file: string): Promise<string> =>
      (await rack.sh(status.name, ['cat', file])).trim()
    t.equal(await read('/sys/class/dmi/id/product_uuid'), status.uuid)
    t.equal(await read('/sys/class/net/eth0/address'), status.mac)
    t.equal((await rack.sh(status.name, ['hostname'])).trim(), status.name)
    boots.add(await read('/proc/sys/kernel/random/boot_id'))
    machineIds.add(await read('/etc/machine-id'))
  }
  t.equal(boots.size, 3)
  t.equal(machineIds.size, 3)
  t.ok(await pings(rack, 'n1', 'n3'))
})

await t.test(
  'a host sees the binary, writes to no file of ours, and no socket of ours',
  async (t) => {
    t.match(await rack.sh('n1', ['jangada', '--version']), process.version)
    const write = await rack.exec('n1', ['sh', '-c', 'echo >/usr/local/bin/jangada'])
    t.not(write.code, 0, 'it is read-only')
    const marks = ['/etc', '/var/lib', '/tmp', '/run', '/usr/local/bin'].map((directory) =>
      path.join(directory, `mark-${name}`),
    )
    await rack.sh('n1', ['touch', ...marks])
    for (const mark of marks) await t.rejects(access(mark), mark)
    t.not((await rack.exec('n2', ['ls', ...marks])).code, 0, 'the others do not see it either')
  },
)

await t.test('exec gives input, output, errors and the code', async (t) => {
  const result = await rack.exec('n1', ['sh', '-c', 'cat; echo oops >&2; exit 3'], { input: 'hi' })
  t.match(result, { code: 3, stdout: 'hi', stderr: 'oops\n', timedOut: false })
  const slow = await rack.exec('n1', ['sleep', '60'], { timeoutMs: 200 })
  t.ok(slow.timedOut)
  await t.rejects(rack.exec('n9', ['true']), { code: 'JGD_NOT_FOUND' })
})

await t.test('what is edited where the rack was started is seen on a host', async (t) => {
  const directory = t.testdir({ 'a.txt': 'first' })
  const file = path.join(directory, 'a.txt')
  t.equal(await rack.sh('n1', ['cat', file]), 'first')
  // As editors save: another file takes the name.
  writeFileSync(`${file}.new`, 'second')
  renameSync(`${file}.new`, file)
  t.equal(await rack.sh('n1', ['cat', file]), 'second')
  await t.rejects(rack.logs('n1', 'nosuch'), { code: 'JGD_RACK', hint: /dockerd/ })
})

await t.test('every engine runs containers, without a registry', async (t) => {
  for (const host of hosts) {
    const run = ['docker', 'run', '-d', '--name', 'work', 'busybox:jangada', 'sleep', '1000']
    await rack.sh(host, run)
    t.same(await containers(rack, host), ['work running'])
  }
  const ids = await Promise.all(
    hosts.map((host) => rack.sh(host, ['docker', 'image', 'ls', '-q', '--no-trunc'])),
  )
  t.equal(new Set(ids).size, 1, 'the image is the same everywhere')
})

await t.test('a service is kept running until it is told to stop', async (t) => {
  await rack.startService('n1', 'agent', ['sh', '-c', "echo started; echo 'a $word'; sleep 1000"])
  const first = await rack.servicePid('n1', 'agent')
  t.ok(first)
  const says = (words: RegExp): Promise<true> =>
    eventually(`it says ${words.source}`, async () => words.test(await rack.logs('n1', 'agent')))
  await says(/started\na \$word/)
  await rack.signalService('n1', 'agent', 'KILL')
  await eventually('it has another process', async () => {
    const pid = await rack.servicePid('n1', 'agent')
    return pid !== undefined && pid !== first
  })
  await says(/a \$word\nrack: agent ended with 137.*\nstarted/)
  await rack.stopService('n1', 'agent')
  t.equal(await rack.servicePid('n1', 'agent'), undefined)
})

await t.test(
  'who listens to an engine is told of the start of a unit, and of no other',
  async (t) => {
    const ended = new AbortController()
    t.teardown(() => ended.abort())
    let told = 0
    await onUnitStart(await rack.initPid('n1'), ended.signal, () => {
      told += 1
    })
    const run = ['docker', 'run', '--rm', 'busybox:jangada', 'true']
    await rack.sh('n1', run)
    t.equal(told, 0)
    await rack.sh('n1', run.toSpliced(3, 0, '--label', 'jangada.unit=web.service'))
    await eventually('the start is told', async () => told > 0)
    ended.abort()
    t.pass()
  },
)

await t.test('dockerd is killed: it comes back, and its containers never stopped', async (t) => {
  const inspect = ['docker', 'inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}}', 'work']
  const running = await rack.sh('n1', inspect)
  const pid = await rack.servicePid('n1', 'dockerd')
  await rack.signalService('n1', 'dockerd', 'KILL')
  await eventually('there is a new dockerd', async () => {
    const now = await rack.servicePid('n1', 'dockerd')
    return now !== undefined && now !== pid
  })
  await rack.hostUp('n1')
  t.equal(await rack.sh('n1', inspect), running)
})

await t.test('a power cut: all dead, and the peers hear nothing', async (t) => {
  await rack.startService('n2', 'server', listen)
  await rack.startService('n1', 'client', connect)
  await eventually('n1 is connected to n2', () => isConnected(rack, 'n1'))

  const { initPid, engineId } = await rack.status('n2')
  const bootId = await rack.sh('n2', ['cat', '/proc/sys/kernel/random/boot_id'])
  const { cutAtMs, deadAtMs } = await rack.powerOff('n2')
  t.ok(deadAtMs >= cutAtMs)
  t.equal(await processRef(initPid ?? 0), undefined, 'its PID 1 is dead')
  t.match(await rack.status('n2'), { state: 'off', link: 'none', initPid: null, engineId: null })
  t.notOk(await pings(rack, 'n1', 'n2'))
  t.ok(await isConnected(rack, 'n1'), 'n1 has got neither FIN nor RST')
  await t.rejects(rack.exec('n2', ['true']), { code: 'JGD_RACK' })

  await rack.powerOn('n2')
  t.equal((await rack.status('n2')).engineId, engineId, 'it is the same engine')
  t.not(await rack.sh('n2', ['cat', '/proc/sys/kernel/random/boot_id']), bootId, 'booted again')
  t.same(await containers(rack, 'n2'), ['work exited'], 'the container is known, and dead')
  await eventually('its service started by itself', async () => {
    return (await rack.servicePid('n2', 'server')) !== undefined
  })
})

await t.test('without the cut first, a peer hears of a death at once', async () => {
  // The old connection would live for ever: its peer is gone, and nobody sends anything on it.
  await rack.signalService('n1', 'client', 'KILL')
  await eventually('the old connection is gone', async () => !(await isConnected(rack, 'n1')))
  await eventually('n1 is connected to n2', () => isConnected(rack, 'n1'))
  await rack.stopService('n2', 'server', { signal: 'KILL' })
  await eventually('n1 is connected no more', async () => !(await isConnected(rack, 'n1')))
  await rack.stopService('n1', 'client', { signal: 'KILL' })
})

await t.test('cut, join, loss, heal', async (t) => {
  await rack.cut('n3')
  t.notOk(await pings(rack, 'n1', 'n3'))
  t.equal((await rack.status('n3')).link, 'cut')
  await rack.join('n3')
  await eventually('n3 answers again', () => pings(rack, 'n1', 'n3'))
  await rack.loss('n3', 100)
  t.notOk(await pings(rack, 'n1', 'n3'))
  await rack.heal()
  await eventually('n3 answers again', () => pings(rack, 'n1', 'n3'))
})

await t.test('a one-way partition lets the other way through', async (t) => {
  const hear =
    "require('node:dgram').createSocket('udp4').on('message', " +
    "(m) => require('node:fs').appendFileSync('/run/heard', m + ' ')).bind(9999)"
  for (const host of ['n1', 'n2']) {
    await rack.startService(host, 'ears', ['jangada', '-e', hear])
    await eventually('it listens', async () =>
      / 00000000:270F /.test(await rack.sh(host, ['cat', '/proc/net/udp'])),
    )
  }
  const say = async (from: string, to: string, word: string): Promise<void> => {
    const { address, mac } = rack.host(to)
    // Known beforehand, because an answer to the question would be lost as well.
    await rack.sh(from, ['ip', 'neigh', 'replace', address, 'lladdr', mac, 'dev', 'eth0'])
    const send = `s.send('${word}', 9999, '${address}', () => s.close())`
    const script = `const s = require('node:dgram').createSocket('udp4'); ${send}`
    await rack.sh(from, ['jangada', '-e', script])
  }
  const heard = async (host: string): Promise<string> =>
    (await rack.exec(host, ['cat', '/run/heard'])).stdout.trim()

  await rack.partition(['n1'], ['n2'], 'one-way')
  await say('n1', 'n2', 'lost')
  await say('n2', 'n1', 'back')
  await eventually('n1 hears n2', async () => (await heard('n1')) === 'back')
  await rack.heal('n2')
  await say('n1', 'n2', 'healed')
  await eventually('n2 hears n1', async () => (await heard('n2')).includes('healed'))
  t.equal(await heard('n2'), 'healed', 'and never got what was said before')
})

await t.test('a frozen host answers pings and nothing else; thawed, it goes on', async (t) => {
  const { engineId } = await rack.status('n3')
  await rack.freeze('n3')
  t.match(await rack.status('n3'), { state: 'frozen', engineId: null })
  t.ok(await pings(rack, 'n1', 'n3'))
  await t.rejects(rack.exec('n3', ['true']), { code: 'JGD_RACK', hint: /thaw/ })
  await rack.thaw('n3')
  await eventually('its engine answers', async () => {
    return (await rack.status('n3')).engineId === engineId
  })
  t.same(await containers(rack, 'n3'), ['work running'])
  await rack.freeze('n3')
  await rack.powerOff('n3')
  t.equal((await rack.status('n3')).state, 'off', 'a frozen host can be switched off too')
})

await t.test('a blank machine tries the network, and nothing else', async (t) => {
  const listenForDhcp =
    "require('node:dgram').createSocket('udp4').on('message', " +
    "(m) => require('node:fs').appendFileSync('/run/dhcp', m.toString('hex') + ' ')).bind(67)"
  await rack.startService('n1', 'dhcp', ['jangada', '-e', listenForDhcp])
  await rack.blankUp('b1')
  const asked = async (): Promise<string> => (await rack.exec('n1', ['cat', '/run/dhcp'])).stdout
  await eventually('n1 hears it ask for an address', async () => (await asked()) !== '')
  t.match(await asked(), rack.machine('b1').mac.replaceAll(':', ''), 'under its own MAC')
  // The first half of a UUID travels in either byte order.
  t.match(await asked(), blankUuid.replaceAll('-', '').slice(16), 'and with its own UUID')
  t.match(await rack.logs('b1'), /iPXE/, 'its screen is in its log')
  const [status] = (await rack.ls()).blanks
  t.match(status, { name: 'b1', state: 'running', link: 'up', uuid: blankUuid })
  await rack.blankDown('b1')
  t.match((await rack.ls()).blanks[0], { state: 'off', link: 'none', qemuPid: null })
})

await t.test('another process takes the rack over by its name alone', async (t) => {
  const again = await openRack(world, { name })
  t.same(
    (await again.ls()).hosts.map((host) => host.state),
    ['running', 'running', 'off'],
  )
})

await t.test('down leaves nothing behind', async (t) => {
  const during = compareOutside(before, await snapshotOutside({ name }))
  for (const kind of ['process', 'namespace', 'cgroup']) {
    t.ok(
      during.some((item) => item.kind === kind),
      `while it is up, a ${kind} of it is seen`,
    )
  }
  await rackDown(world, { name })
  t.same(compareOutside(before, await snapshotOutside({ name })), [])
  await t.rejects(access(rack.spec.stateDir), 'its directory is gone')
  await t.rejects(openRack(world, { name }), { code: 'JGD_RACK' })
  await rackDown(world, { name })
})
