import t from 'tap'
import { concat, utf8 } from '../../../src/base/bytes.ts'
import { JangadaError } from '../../../src/base/errors.ts'
import { memberId } from '../../../src/base/ids.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { type CallMethods, feedWindow } from '../../../src/node/wire/calls.ts'
import { Door } from '../../../src/node/wire/door.ts'
import { encodeFrame, FrameReader, maxFrameBytes } from '../../../src/node/wire/frames.ts'
import { SimulatedClock, SimulatedTime } from '../../sim/clock.ts'
import { simulatedCrypto } from '../../sim/crypto.ts'
import { SimulatedNetwork } from '../../sim/network.ts'
import { sinkLog } from '../../sim/quiet.ts'
import { SimulatedStreams, SimulatedSwitchboard } from '../../sim/streams.ts'

t.test('frames come out whole, however the bytes are cut', (t) => {
  const random = new SeededRandom(3)
  const frames = [0, 1, 5, 70_000, 3].map((length, at) => ({
    kind: at,
    payload: random.bytes(length),
  }))
  const bytes = concat(frames.map(({ kind, payload }) => encodeFrame(kind, payload)))
  for (let round = 0; round < 50; round += 1) {
    const reader = new FrameReader()
    const out: { kind: number; payload: Uint8Array }[] = []
    for (let at = 0; at < bytes.length;) {
      const length = random.integer(1, random.chance(0.5) ? 7 : 40_000)
      out.push(...(reader.push(bytes.subarray(at, at + length)) ?? (t.fail('ours') as never)))
      at += length
    }
    t.same(
      out.map(({ kind, payload }) => [kind, payload.length]),
      frames.map(({ kind, payload }) => [kind, payload.length]),
    )
  }
  t.equal(new FrameReader().push(utf8('GET / HTTP/1.1')), undefined, 'another protocol is refused')
  const long = new Uint8Array(4)
  new DataView(long.buffer).setUint32(0, maxFrameBytes + 1)
  t.equal(new FrameReader().push(concat([long, new Uint8Array(1)])), undefined, 'so is a giant')
  t.end()
})

const never: CallMethods = { calls: new Map(), feeds: new Map() }

async function twoDoors(methods: CallMethods) {
  const random = new SeededRandom(11)
  const time = new SimulatedTime(random.fork())
  const network = new SimulatedNetwork(time, random.fork())
  const board = new SimulatedSwitchboard(network)
  const crypto = simulatedCrypto(random.fork())
  const clusterId = 'c'.repeat(32)
  const authorityKey = await crypto.generateKey()
  const lifetime = { notBeforeMs: 0, notAfterMs: 4e12 }
  const authorityPem = await crypto.makeAuthority(authorityKey, { clusterId, ...lifetime })
  const make = async (host: string, machineId: string, own: CallMethods): Promise<Door> => {
    const key = await crypto.generateKey()
    const clock = new SimulatedClock(time, random.fork())
    const certificatePem = await crypto.issueCertificate(
      { certificatePem: authorityPem, key: authorityKey },
      { clusterId, machineId, publicKeySpki: key.publicKeySpki, alternativeNames: [], ...lifetime },
    )
    const identity = { clusterId, privateKeyPem: key.privateKeyPem, certificatePem, authorityPem }
    return new Door({
      streams: new SimulatedStreams(board, { host, clock, identity, isAllowed: () => true }),
      clock,
      log: sinkLog(() => undefined),
      clusterId,
      machineId,
      featureLevel: 1,
      memberId: () => memberId(0),
      machineOf: () => undefined,
      methods: own,
      onRaftStream: (greeted) => greeted.stream.close(),
    })
  }
  const server = await make('10.0.0.1', 'a'.repeat(32), methods)
  const client = await make('10.0.0.2', 'b'.repeat(32), never)
  await time.runUntilSettled(server.listen({ host: '10.0.0.1', port: 7382 }), 100)
  const calls = await time.runUntilSettled(client.callsTo({ host: '10.0.0.1', port: 7382 }), 5000)
  return { time, network, calls }
}

t.test('a call is answered, or fails with the other side’s own code', async (t) => {
  const { time, calls } = await twoDoors({
    calls: new Map<string, (body: unknown) => Promise<unknown>>([
      ['echo', async (body) => body],
      [
        'no',
        async () => Promise.reject(new JangadaError('JGD_CONFLICT', 'not that', { hint: 'this' })),
      ],
    ]),
    feeds: new Map(),
  })
  const echoed = await time.runUntilSettled(calls.call('echo', { a: [1, 'x'] }, 1000), 5000)
  t.same(echoed, { a: [1, 'x'] })
  const refused = calls.call('no', {}, 1000)
  await t.rejects(time.runUntilSettled(refused, 5000), { code: 'JGD_CONFLICT', hint: 'this' })
  const unknown = calls.call('what', {}, 1000)
  await t.rejects(time.runUntilSettled(unknown, 5000), { code: 'JGD_BAD_REQUEST' })
})

t.test('an answer that no frame holds: what was asked may be done, and nobody fails', async (t) => {
  const { time, calls } = await twoDoors({
    calls: new Map<string, () => Promise<unknown>>([
      ['long', async () => new Uint8Array(maxFrameBytes)],
      ['short', async () => 'done'],
    ]),
    feeds: new Map(),
  })
  const long = calls.call('long', {}, 1000)
  await t.rejects(time.runUntilSettled(long, 5000), { code: 'JGD_OUTCOME_UNKNOWN' })
  t.equal(await time.runUntilSettled(calls.call('short', {}, 1000), 5000), 'done')
})

t.test('a slow reader holds a feed up; it never fills the memory', async (t) => {
  let produced = 0
  const { time, calls } = await twoDoors({
    calls: new Map(),
    feeds: new Map([
      [
        'count',
        async function* () {
          for (let n = 0; n < 1000; n += 1) {
            produced += 1
            yield n
          }
        },
      ],
    ]),
  })
  const feed = calls.feed('count', {}, new AbortController().signal)
  const first = await time.runUntilSettled(feed.next(), 5000)
  t.equal(first.value, 0)
  await time.runFor(1000)
  t.ok(produced <= 2 * feedWindow + 1, `at most two windows ahead: ${produced}`)
  const seen = [0]
  const rest = (async () => {
    for await (const n of feed) seen.push(n as number)
  })()
  await time.runUntilSettled(rest, 5000)
  t.same(
    seen,
    Array.from({ length: 1000 }, (_, n) => n),
    'nothing lost, nothing twice',
  )
})

t.test('a peer without power is noticed without a FIN, and its calls end as unknown', async (t) => {
  const { time, network, calls } = await twoDoors({
    calls: new Map([['hang', () => new Promise(() => undefined)]]),
    feeds: new Map(),
  })
  const hanging = calls.call('hang', {}, 60_000)
  hanging.catch(() => undefined)
  await time.runFor(100)
  network.powerOff('10.0.0.1')
  await t.rejects(time.runUntilSettled(hanging, 10_000), { code: 'JGD_OUTCOME_UNKNOWN' })
  t.equal(calls.closed, true)
})
