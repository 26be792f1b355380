/** Messages of the consensus may be repeated and overtaken; nothing else on a connection may. */
import t from 'tap'
import { utf8 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { encodeFrame } from '../../src/node/wire/frames.ts'
import { frameKind } from '../../src/node/wire/kinds.ts'
import { SimulatedTime } from './clock.ts'
import { SimulatedNetwork } from './network.ts'
import { type Segment, StreamPipe } from './stream-pipe.ts'

const sent = 200
const always = 1

interface Told {
  readonly seen: number[]
  readonly counts: SimulatedNetwork['counts']
}

/** Sends numbered frames of `kind`, one a millisecond, and tells in which order they arrive. */
async function arrivals(
  kind: number,
  quality: Parameters<SimulatedNetwork['setQuality']>[2],
): Promise<Told> {
  const time = new SimulatedTime(new SeededRandom(1))
  const network = new SimulatedNetwork(time, new SeededRandom(2))
  network.setQuality('a', 'b', quality)
  const seen: number[] = []
  const onArrival = (segment: Segment): void => {
    if (segment.kind === 'data') seen.push(segment.bytes[5] as number)
  }
  const ignore = (): void => undefined
  const pipe = new StreamPipe(network, {
    from: 'a',
    to: 'b',
    onArrival,
    onAcknowledged: ignore,
    onFinished: ignore,
    onGivenUp: ignore,
  })
  for (let at = 0; at < sent; at += 1) {
    pipe.send({ kind: 'data', bytes: encodeFrame(kind, Uint8Array.of(at)) })
    await time.runFor(1)
  }
  await time.runFor(1000)
  t.equal(pipe.unacknowledgedBytes, 0, 'every byte that was sent is acknowledged')
  return { seen, counts: network.counts }
}

const inOrder = Array.from({ length: sent }, (_, at) => at)

t.test('a message that is repeated arrives twice, and is counted', async (t) => {
  const { seen, counts } = await arrivals(frameKind.raft, { repeatProbability: always })
  t.same(
    seen,
    inOrder.flatMap((at) => [at, at]),
  )
  t.equal(counts.repeated, sent)
})

t.test('messages that are overtaken all arrive, in another order', async (t) => {
  const { seen, counts } = await arrivals(frameKind.raft, { overtakeProbability: 0.3 })
  t.not(seen.join(), inOrder.join())
  t.same(
    seen.toSorted((a, b) => a - b),
    inOrder,
  )
  t.ok(counts.overtaken > 0)
})

t.test('requests and answers come in order and once, whatever the path does', async (t) => {
  const quality = { repeatProbability: 0.5, overtakeProbability: 0.5 }
  const { seen, counts } = await arrivals(frameKind.request, quality)
  t.same(seen, inOrder)
  t.same(counts, { lost: 0, repeated: 0, overtaken: 0 })
})

t.test('nothing follows the end of a connection', async (t) => {
  const time = new SimulatedTime(new SeededRandom(1))
  const network = new SimulatedNetwork(time, new SeededRandom(2))
  network.setQuality('a', 'b', { overtakeProbability: always })
  const kinds: string[] = []
  const ignore = (): void => undefined
  const pipe = new StreamPipe(network, {
    from: 'a',
    to: 'b',
    onArrival: ({ kind }) => kinds.push(kind),
    onAcknowledged: ignore,
    onFinished: ignore,
    onGivenUp: ignore,
  })
  pipe.send({ kind: 'data', bytes: encodeFrame(frameKind.raft, utf8('held back')) })
  pipe.send({ kind: 'fin' })
  await time.runFor(1000)
  t.same(kinds, ['fin'])
})
