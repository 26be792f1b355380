/** The faults that simulated links can have, and what a peer notices of each. */
import t from 'tap'
import { concat, fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Stream, StreamHandlers } from '../../src/ports/streams.ts'
import { makeTestCluster } from '../platform/test-identities.ts'
import { SimulatedClock, SimulatedTime } from './clock.ts'
import { simulatedCrypto } from './crypto.ts'
import { SimulatedNetwork } from './network.ts'
import { SimulatedStreams, SimulatedSwitchboard } from './streams.ts'

class Ear implements StreamHandlers {
  parts: Uint8Array[] = []
  closed: (Error | undefined)[] = []
  drains = 0

  get text(): string {
    return fromUtf8(concat(this.parts))
  }

  onData(bytes: Uint8Array): void {
    this.parts.push(bytes)
  }

  onDrain(): void {
    this.drains += 1
  }

  onClose(cause: Error | undefined): void {
    this.closed.push(cause)
  }
}

/** Hosts a and b, and a stream from a to b. */
async function twoHosts(seed = 3) {
  const random = new SeededRandom(seed)
  const time = new SimulatedTime(random.fork())
  const network = new SimulatedNetwork(time, random.fork())
  const board = new SimulatedSwitchboard(network)
  const cluster = await makeTestCluster(simulatedCrypto(random.fork()), 'c'.repeat(32))
  const start = async (host: string, n: number): Promise<SimulatedStreams> => {
    const identity = await cluster.machine(String(n).repeat(32))
    const clock = new SimulatedClock(time, random.fork())
    return new SimulatedStreams(board, { host, clock, identity, isAllowed: () => true })
  }
  const [a, b] = [await start('a', 1), await start('b', 2)]
  const [atA, atB] = [new Ear(), new Ear()]
  const accepted: Stream[] = []
  await b.listen({ host: 'b', port: 1 }, (stream) => {
    accepted.push(stream)
    stream.handlers = atB
  })
  const connect = (handlers: StreamHandlers = atA, timeoutMs = 1000): Promise<Stream> =>
    a.connect({ host: 'b', port: 1 }, { timeoutMs, handlers })
  const near = await time.runUntilSettled(connect(), 1000)
  const far = accepted[0] as Stream
  return { time, network, a, b, atA, atB, near, far, connect, accepted }
}

t.test('a one-way cut holds up one direction, and healing lets it go on', async (t) => {
  const { time, network, atA, atB, near, far } = await twoHosts()
  network.cut('a', 'b')
  near.write(utf8('held'))
  far.write(utf8('through'))
  await time.runFor(5_000)
  t.same([atB.text, atA.text], ['', 'through'])
  t.same([atA.closed, atB.closed], [[], []], 'TCP waits')
  network.heal('a', 'b')
  await time.runFor(300)
  t.equal(atB.text, 'held')
})

t.test(
  'a writer into a cut sees its bytes pile up, also when only the answer is cut',
  async (t) => {
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const { time, network, atA, near } = await twoHosts()
      network.cut(from, to)
      near.write(new Uint8Array(1_000_000))
      await time.runFor(5_000)
      t.ok(near.bufferedBytes > 900_000, `${from} to ${to}`)
      network.healAll()
      await time.runFor(1_000)
      t.same([near.bufferedBytes, atA.drains], [0, 1])
    }
  },
)

t.test('nobody gets through a partition; connects end by their own timeout', async (t) => {
  const { time, network, connect } = await twoHosts()
  network.partition(['a'], ['b'])
  const failed = connect(new Ear(), 500)
  await t.rejects(time.runUntilSettled(failed, 2_000), { name: 'StreamError', reason: 'timeout' })
  t.equal(time.nowMs > 500 && time.nowMs < 510, true)
  const patient = connect(new Ear(), 5_000)
  await time.runFor(1_000)
  network.healAll()
  t.ok(await time.runUntilSettled(patient, 1_000))
})

t.test('some loss delays, much loss breaks', async (t) => {
  const { time, network, atA, atB, near } = await twoHosts()
  network.setQuality('a', 'b', { lossProbability: 0.2 })
  for (let i = 0; i < 50; i += 1) near.write(utf8(`${i};`))
  await time.runFor(60_000)
  t.equal(atB.text, Array.from({ length: 50 }, (_, i) => `${i};`).join(''))
  t.ok(time.nowMs > 1_000)
  network.setQuality('a', 'b', { lossProbability: 1 })
  near.write(utf8('lost'))
  await time.runFor(60_000)
  t.match(atA.closed, [{ message: 'too many packets were lost' }])
  t.same(atB.closed, [], 'the other side is not told')
})

t.test('a delayed link delays, and streams do not wait for each other', async (t) => {
  const { time, network, connect, accepted, near, atB } = await twoHosts()
  const other = await time.runUntilSettled(connect(new Ear()), 1000)
  const ear = new Ear()
  ;(accepted[1] as Stream).handlers = ear
  network.setQuality('a', 'b', { delayMsMin: 50, delayMsMax: 50 })
  const startMs = time.nowMs
  near.write(utf8('slow'))
  await time.runFor(10)
  network.setQuality('a', 'b', { delayMsMin: 1, delayMsMax: 1 })
  other.write(utf8('fast'))
  await time.runUntil(() => ear.text === 'fast', 1000)
  t.equal(atB.text, '')
  await time.runUntil(() => atB.text === 'slow', 1000)
  t.ok(time.nowMs - startMs >= 50)
})

t.test('a power cut is silent; a killed process is heard of', async (t) => {
  const silent = await twoHosts()
  silent.network.powerOff('b')
  silent.b.vanish()
  silent.near.write(utf8('anyone?'))
  await silent.time.runFor(10_000)
  t.same(silent.atA.closed, [])
  silent.network.powerOn('b')
  await silent.time.runFor(1_000)
  t.match(silent.atA.closed, [{ message: 'connection reset by peer' }], 'it is back, and forgot')
  t.same(silent.atB.closed, [], 'a dead process hears nothing')

  const heard = await twoHosts()
  heard.b.kill()
  await heard.time.runFor(10)
  t.match(heard.atA.closed, [{ message: 'connection reset by peer' }])
})

t.test('a frozen process hears nothing until it thaws, and then everything', async (t) => {
  const { time, network, atB, near } = await twoHosts()
  network.freeze('b')
  near.write(utf8('while you slept'))
  near.close()
  await time.runFor(5_000)
  t.same([atB.text, atB.closed], ['', []])
  network.thaw('b')
  await time.runFor(300)
  t.same([atB.text, atB.closed], ['while you slept', [undefined]])
})

t.test('streams can be broken from outside', async (t) => {
  const { time, a, atA, atB } = await twoHosts()
  a.breakStreamsWith('b')
  await time.runFor(10)
  t.equal(atA.closed.length, 1)
  t.equal(atB.closed.length, 1)
})

t.test('one seed, one history', async (t) => {
  const history = async (seed: number): Promise<string> => {
    const { time, network, near, far, atA, atB } = await twoHosts(seed)
    network.setQuality('a', 'b', { lossProbability: 0.3 })
    const log: string[] = []
    for (let i = 0; i < 30; i += 1) {
      near.write(utf8('x'))
      far.write(utf8('y'))
      await time.runFor(7)
      log.push(`${time.nowMs}:${atA.text.length}:${atB.text.length}`)
    }
    return log.join(' ')
  }
  t.equal(await history(5), await history(5))
  t.not(await history(5), await history(6))
})
