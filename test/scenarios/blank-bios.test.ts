/**
 * A blank machine with BIOS firmware joins while somebody writes down everything that crosses its
 * network: no secret is among it, and the nonce that is among it is worth nothing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { importImage } from '../../src/tools/rack/demo/blank-steps.ts'
import { runScript } from '../../src/tools/rack/demo/cluster-steps.ts'
import { jangada, readyMachines } from '../../src/tools/rack/demo/scene.ts'
import { statusOf } from '../../src/tools/rack/demo/view.ts'
import { bringUpCluster } from '../../src/tools/rack/cluster.ts'
import { inNetwork, ip } from '../../src/tools/rack/network.ts'
import { must } from '../../src/tools/rack/processes.ts'
import { until } from '../../src/tools/rack/world.ts'
import { eventOf, stage } from './stage.ts'

const testMs = 600_000
const bootMs = 420_000
t.setTimeout(testMs)

const image = path.join(import.meta.dirname, '../../dist/jangada-image.tar.zst')
if (!existsSync(image)) await runScript('build-image.mjs')

const rack = await stage(t, { hosts: 2, blanks: 1 })
const [{ address: door } = { address: '' }] = rack.spec.hosts
const [blank] = rack.spec.blanks
if (blank === undefined) throw new Error('the rack has a blank machine')
const switchPid = rack.spec.switch.pid

/** Everything that crosses the switch, from before the cluster is there. */
const capture = path.join(rack.spec.stateDir, 'lan.pcap')
const [program = '', ...words] = [
  ...inNetwork(switchPid),
  ...['tcpdump', '-i', 'br0', '-s', '0', '-U', '-Z', 'root', '-B', '65536', '-w', capture],
]
const tcpdump = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] })
const captured = once(tcpdump, 'close')
t.teardown(() => void tcpdump.kill())
await new Promise<void>((resolve) => {
  tcpdump.stderr.on('data', (text) => String(text).includes('listening') && resolve())
})

await bringUpCluster(rack, { bootLink: 'eth0', bootHosts: ['n1'] })
await importImage(rack, 'n1')
const apiToken = (await jangada(rack, 'n1', 'token', '--scope', 'admin')).trim()
await jangada(rack, 'n2', 'units', '--endpoint', `https://${door}:7381`, '--token', apiToken)

await t.test('it joins by itself', async (t) => {
  const known = readyMachines(await statusOf(rack, 'n1'))
  await rack.blankUp(blank.name)
  const wait = { what: 'the blank machine is ready', timeoutMs: bootMs, pollMs: 250 }
  const joined = await until(rack.clock, wait, async () => {
    const { machines } = await statusOf(rack, 'n1')
    return machines.find(({ status, name }) => status === 'ready' && !known.includes(name))
  })
  t.equal(joined.id, blank.uuid.replaceAll('-', ''), 'its id is the UUID of its firmware')
  const { boots, members } = await statusOf(rack, 'n1')
  const kinds = boots.find(({ mac }) => mac === blank.mac)?.steps.map(({ kind }) => kind) ?? []
  for (const kind of ['discover', 'ack', 'script', 'file-end', 'enrolled']) {
    t.ok(kinds.includes(kind), `the boot node saw: ${kind}`)
  }
  t.notOk(
    members.some(({ machineId }) => machineId === joined.id),
    'without a disk, no vote',
  )
})

/** Each needle that is in the capture, and the first match of `pattern`. */
async function search(needles: ReadonlyMap<string, Buffer>, pattern: RegExp) {
  const found = new Set<string>()
  let match: RegExpExecArray | null = null
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(capture, { highWaterMark: 8 << 20 })) {
    const bytes = Buffer.concat([rest, chunk as Buffer])
    for (const [name, needle] of needles) if (bytes.includes(needle)) found.add(name)
    match ??= pattern.exec(bytes.toString('latin1'))
    // Long enough for a needle or a match that two chunks share.
    rest = bytes.subarray(-4096)
  }
  return { found: [...found], match }
}

/** A P-256 key in PKCS#8: everything before the secret number is the same in all of them. */
const keyPrefix = '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420'
const secretOf = (token: string): string => token.trim().split('.').at(-1) ?? ''

/** Read off the boot script that crossed in clear. */
let pin = ''
let nonce = ''

await t.test('nothing that crosses in clear is a secret, but for the nonce', async (t) => {
  tcpdump.kill('SIGINT')
  await captured
  const keys = await Promise.all(
    ['n1', 'n2'].map((host) => rack.sh(host, ['cat', '/var/lib/jangada/machine-key.pem'])),
  )
  const needles = new Map([
    ['an admin token’s secret', Buffer.from(secretOf(apiToken))],
    ['a private key as it is', Buffer.from(keyPrefix, 'hex')],
    ['a private key as text', Buffer.from(Buffer.from(keyPrefix, 'hex').toString('base64'))],
    ...keys.map((pem, at) => {
      const [, , middle = pem] = pem.split('\n')
      return [`the key of n${at + 1}`, Buffer.from(middle)] as const
    }),
    // What is known to cross in clear: if this is not found, nothing would be.
    ['the boot script', Buffer.from('Jangada: booting')],
  ])
  const inScript = /jangada\.pin=([0-9a-f]{64})[^]*?jangada\.nonce=(N1\.[0-9a-f.]+)/
  const { found, match } = await search(needles, inScript)
  t.same(found, ['the boot script'])
  ;[, pin = '', nonce = ''] = match ?? []
  t.ok(nonce, 'the nonce and the pin were seen')
  // A join token crossed when n2 joined: in clear it would show its beginning and its pin.
  const tokens = await search(new Map(), /[JA]1\.[0-9a-f]{32}\.[0-9a-f]{64}\.[0-9a-f]{16}\./)
  t.equal(tokens.match, null, 'no token, of whatever kind')
})

const replay = async (address: string): Promise<unknown> => {
  const script = path.join(import.meta.dirname, 'replay-nonce.ts')
  const { mac, uuid } = blank
  const argv = [process.execPath, script, door, nonce, pin, mac, uuid, address]
  // Joining asks again while nobody answers, and a machine that emulates another is slow.
  const options = { timeoutMs: 120_000 }
  return JSON.parse(await must([...inNetwork(switchPid), ...argv], options))
}
const bindingOf = async (): Promise<string> => {
  const { machines } = await statusOf(rack, 'n1')
  return machines.find(({ id }) => id === blank.uuid.replaceAll('-', ''))?.address ?? ''
}

await t.test('the nonce in another’s hands, from another address', async (t) => {
  t.same(await replay(await bindingOf()), { state: 'refused', code: 'JGD_NONCE_INVALID' })
  t.match(await eventOf(rack, 'n1', 'JGD_NONCE_INVALID'), { kind: 'trust.refused' })
})

await t.test('the nonce with another key, from the machine’s own address', async (t) => {
  const address = await bindingOf()
  await rack.powerOff(blank.name)
  await ip(switchPid, [
    `address add ${address}/24 dev br0`,
    `route replace ${door}/32 dev br0 src ${address}`,
  ])
  t.same(await replay(address), { state: 'refused', code: 'JGD_NONCE_REUSED' })
  t.match(await eventOf(rack, 'n1', 'JGD_NONCE_REUSED'), {
    ...{ kind: 'trust.refused', severity: 'alarm' },
  })
})
