/** What only the real side can show: real handshakes with clients that are not ours. */
import { connect as tcpConnect } from 'node:net'
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { nodeCrypto } from '../../src/platform/crypto.ts'
import { tlsStreams, type StreamRefusal } from '../../src/platform/streams.ts'
import type { Stream, StreamHandlers } from '../../src/ports/streams.ts'
import { makeTestCluster, type TestIdentity } from './test-identities.ts'

const crypto = nodeCrypto()
const cluster = await makeTestCluster(crypto, 'c'.repeat(32))
const quiet: StreamHandlers = {
  onData: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
}

async function openDoor(t: Test) {
  const identity = await cluster.machine('1'.repeat(32))
  const refusals: StreamRefusal[] = []
  const streams = tlsStreams({
    identity,
    isAllowed: () => true,
    onRefused: (refusal) => refusals.push(refusal),
  })
  const welcomed: Stream[] = []
  const listener = await streams.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
    welcomed.push(stream)
    stream.handlers = { ...quiet, onData: (bytes) => stream.write(bytes) }
  })
  t.teardown(async () => {
    for (const stream of welcomed) stream.close()
    await listener.close()
  })
  return { streams, refusals, welcomed, port: listener.port, identity }
}

/** How a client of another making fares: the door's byte, or the error that ended it. */
function knock(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['jangada-peer/1'],
      ...options,
    })
    socket.once('data', (bytes: Uint8Array) => {
      resolve(fromUtf8(bytes))
      socket.destroy()
    })
    socket.once('error', () => resolve('error'))
    socket.once('close', () => resolve('closed'))
  })
}

const asClient = (identity: TestIdentity): ConnectionOptions => ({
  key: identity.privateKeyPem,
  cert: identity.certificatePem,
})

t.test('who has no certificate, or speaks an older TLS, gets nowhere', async (t) => {
  const door = await openDoor(t)
  const machine = await cluster.machine('2'.repeat(32))
  t.equal(await knock(door.port, {}), 'W', 'no certificate')
  t.equal(await knock(door.port, { ...asClient(machine), maxVersion: 'TLSv1.2' }), 'error')
  t.equal(await knock(door.port, { ...asClient(machine), ALPNProtocols: ['http/1.1'] }), 'error')
  t.equal(await knock(door.port, asClient(machine)), 'A', 'and a machine of the cluster does')
  t.equal(door.welcomed.length, 1)
  t.match(door.refusals, [{ code: 'JGD_WRONG_CLUSTER', remoteAddress: '127.0.0.1' }])
})

t.test('the CA as a client, and a leaf that signed a leaf, are no machines', async (t) => {
  const door = await openDoor(t)
  const { key, certificatePem } = cluster.authority
  t.equal(await knock(door.port, { key: key.privateKeyPem, cert: certificatePem }), 'W')
  const leaf = await cluster.machine('3'.repeat(32))
  const child = await crypto.generateKey()
  const grandchild = await crypto.issueCertificate(
    { key: await crypto.importKey(leaf.privateKeyPem), certificatePem: leaf.certificatePem },
    {
      clusterId: leaf.clusterId,
      machineId: '4'.repeat(32),
      publicKeySpki: child.publicKeySpki,
      notBeforeMs: Date.UTC(2026, 0, 1),
      notAfterMs: Date.UTC(2046, 0, 1),
      alternativeNames: [],
    },
  )
  const cert = grandchild + leaf.certificatePem
  t.equal(await knock(door.port, { key: child.privateKeyPem, cert }), 'W')
  t.equal(door.welcomed.length, 0)
})

t.test('an expired certificate does not lock its machine out', async (t) => {
  const door = await openDoor(t)
  const expired = { notBeforeMs: Date.UTC(2020, 0, 1), notAfterMs: Date.UTC(2020, 3, 1) }
  const identity = await cluster.machine('5'.repeat(32), expired)
  const client = tlsStreams({ identity, isAllowed: () => true })
  const address = { host: '127.0.0.1', port: door.port }
  const stream = await client.connect(address, { timeoutMs: 5_000, handlers: quiet })
  t.equal(stream.peer.machineId, door.identity.machineId)
  stream.close()
})

t.test('no session is resumed: each connection proves its key', async (t) => {
  const door = await openDoor(t)
  const identity = await cluster.machine('6'.repeat(32))
  const sessions: Buffer[] = []
  const talk = (session: Buffer | undefined): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = tlsConnect({
        host: '127.0.0.1',
        port: door.port,
        rejectUnauthorized: false,
        ALPNProtocols: ['jangada-peer/1'],
        ...asClient(identity),
        ...(session === undefined ? {} : { session }),
      })
      socket.on('session', (offered: Buffer) => sessions.push(offered))
      socket.on('error', reject)
      let text = ''
      socket.on('data', (bytes: Uint8Array) => {
        text += fromUtf8(bytes)
        if (text === 'A') socket.write(utf8('echo'))
        if (text !== 'Aecho') return
        resolve(socket.isSessionReused())
        socket.destroy()
      })
    })
  t.equal(await talk(undefined), false)
  t.equal(await talk(sessions.at(-1)), false)
  t.equal(door.welcomed.length, 2)
})

t.test('noise on the door ends that connection and nothing else', async (t) => {
  const door = await openDoor(t)
  for (const noise of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\xff\xff', '\0'.repeat(5000)]) {
    await new Promise<void>((resolve) => {
      const socket = tcpConnect(door.port, '127.0.0.1', () => socket.end(noise, 'latin1'))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
      socket.resume()
    })
  }
  t.equal(await knock(door.port, asClient(await cluster.machine('7'.repeat(32)))), 'A')
})

t.test('an unreadable CA is told as damage to the state directory', async (t) => {
  const identity = await cluster.machine('8'.repeat(32))
  const make = () =>
    tlsStreams({ identity: { ...identity, authorityPem: 'torn' }, isAllowed: () => true })
  t.throws(make, { code: 'JGD_STATE_DIR' })
})
