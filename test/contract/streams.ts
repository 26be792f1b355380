/** What every side of `ports/Streams` must do. */
import type { Test } from 'tap'
import { concat, fromUtf8, utf8 } from '../../src/base/bytes.ts'
import type { Stream, StreamHandlers, Streams } from '../../src/ports/streams.ts'

/** One machine with an identity; `streams` has what both sides offer beyond the port. */
export interface StreamsMachine {
  readonly streams: Streams & { dropUnlisted(): number }
  /** Where the others reach it. */
  readonly host: string
  readonly machineId: string
  readonly keyHash: string
  /** Keys it does not let in. */
  readonly unlisted: Set<string>
  /** A new key and certificate for the same machine, used from the next handshake on. */
  renew(): Promise<{ keyHash: string }>
}

export interface StreamsSide {
  /** `foreign`: a certificate of another cluster's CA, shown by one who knows our CA. */
  machine(identity: 'ours' | 'foreign'): Promise<StreamsMachine>
  /** An address where something is and never answers. */
  silentAddress(): Promise<{ host: string; port: number }>
  /** Lets time pass until `promise` settles: real time needs nothing but waiting. */
  run<T>(promise: Promise<T>): Promise<T>
}

const timeoutMs = 5_000
const quiet: StreamHandlers = {
  onData: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
}

/** Handlers that collect, and promises of what a test waits for. */
class Collector implements StreamHandlers {
  readonly parts: Uint8Array[] = []
  closes: (Error | undefined)[] = []
  drains = 0
  #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = []

  get text(): string {
    return fromUtf8(concat(this.parts))
  }

  get bytes(): number {
    return this.parts.reduce((sum, part) => sum + part.length, 0)
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (holds()) resolve()
      else this.#waiting.push({ holds, resolve })
    })
  }

  onData(bytes: Uint8Array): void {
    this.parts.push(bytes.slice())
    this.#look()
  }

  onDrain(): void {
    this.drains += 1
    this.#look()
  }

  onClose(cause: Error | undefined): void {
    this.closes.push(cause)
    this.#look()
  }

  #look(): void {
    for (const { holds, resolve } of this.#waiting) if (holds()) resolve()
    this.#waiting = this.#waiting.filter(({ holds }) => !holds())
  }
}

interface Pair {
  readonly server: StreamsMachine
  readonly client: StreamsMachine
  readonly near: Stream
  readonly far: Stream
  readonly nearEnd: Collector
  readonly farEnd: Collector
}

async function connectPair(t: Test, side: StreamsSide): Promise<Pair> {
  const [server, client] = [await side.machine('ours'), await side.machine('ours')]
  const farEnd = new Collector()
  let far: Stream | undefined
  const listener = await server.streams.listen({ host: server.host, port: 0 }, (stream) => {
    far = stream
    stream.handlers = farEnd
  })
  t.teardown(() => listener.close())
  const nearEnd = new Collector()
  const address = { host: server.host, port: listener.port }
  const near = await side.run(client.streams.connect(address, { timeoutMs, handlers: nearEnd }))
  t.teardown(() => near.close())
  if (far === undefined) throw new Error('the listener gets its stream before connect resolves')
  return { server, client, near, far, nearEnd, farEnd }
}

export function streamsContract(t: Test, makeSide: (t: Test) => StreamsSide): void {
  t.test('both ends learn who the other is, and bytes keep their order', (t) =>
    carriesBothWays(t, makeSide(t)),
  )
  t.test('nothing said at once by the listener is lost on a caller who awaits', (t) =>
    losesNoWelcome(t, makeSide(t)),
  )
  t.test('a writer sees what is not yet sent, and hears when it is', (t) =>
    tellsBacklog(t, makeSide(t)),
  )
  t.test('what was written before close arrives, and each end closes once', (t) =>
    closesOnce(t, makeSide(t)),
  )
  t.test('no stream without a certificate of the cluster', (t) => refusesForeigners(t, makeSide(t)))
  t.test('a key that is not listed gets no stream, and loses the one it has', (t) =>
    refusesUnlisted(t, makeSide(t)),
  )
  t.test('a renewed identity is shown from the next handshake on', (t) => renews(t, makeSide(t)))
  t.test('nobody there, and somebody silent, are told apart', (t) => tellsAbsence(t, makeSide(t)))
}

async function carriesBothWays(t: Test, side: StreamsSide): Promise<void> {
  const { server, client, near, far, nearEnd, farEnd } = await connectPair(t, side)
  t.equal(near.peer.machineId, server.machineId)
  t.equal(near.peer.keyHash, server.keyHash)
  t.equal(far.peer.machineId, client.machineId)
  t.equal(far.peer.keyHash, client.keyHash)
  t.equal(far.peer.clusterId, near.peer.clusterId)
  let sent = ''
  for (let i = 0; i < 200; i += 1) {
    near.write(utf8(`${i};`))
    sent += `${i};`
  }
  far.write(utf8('and back'))
  await side.run(farEnd.until(() => farEnd.bytes >= sent.length))
  await side.run(nearEnd.until(() => nearEnd.bytes >= 8))
  t.equal(farEnd.text, sent)
  t.equal(nearEnd.text, 'and back')
}

async function losesNoWelcome(t: Test, side: StreamsSide): Promise<void> {
  const [server, client] = [await side.machine('ours'), await side.machine('ours')]
  const listener = await server.streams.listen({ host: server.host, port: 0 }, (stream) => {
    stream.handlers = quiet
    stream.write(utf8('welcome'))
    stream.close()
  })
  t.teardown(() => listener.close())
  const end = new Collector()
  const greet = async (): Promise<void> => {
    const address = { host: server.host, port: listener.port }
    const stream = await client.streams.connect(address, { timeoutMs, handlers: quiet })
    stream.handlers = end
    await end.until(() => end.closes.length > 0)
  }
  await side.run(greet())
  t.equal(end.text, 'welcome')
}

async function tellsBacklog(t: Test, side: StreamsSide): Promise<void> {
  const { near, nearEnd, farEnd } = await connectPair(t, side)
  const piece = new Uint8Array(262_144)
  for (let i = 0; i < 32; i += 1) near.write(piece)
  t.ok(near.bufferedBytes > 1_000_000, 'most of 8 MiB waits')
  await side.run(nearEnd.until(() => nearEnd.drains > 0))
  t.equal(near.bufferedBytes, 0)
  await side.run(farEnd.until(() => farEnd.bytes === 32 * piece.length))
  t.equal(nearEnd.drains, 1)
}

async function closesOnce(t: Test, side: StreamsSide): Promise<void> {
  const { near, far, nearEnd, farEnd } = await connectPair(t, side)
  near.write(utf8('last words'))
  near.close()
  near.close()
  near.write(utf8('too late'))
  await side.run(farEnd.until(() => farEnd.closes.length > 0))
  await side.run(nearEnd.until(() => nearEnd.closes.length > 0))
  t.equal(farEnd.text, 'last words')
  far.write(utf8('to nobody'))
  far.close()
  t.same([nearEnd.closes, farEnd.closes], [[undefined], [undefined]])
  t.same([near.endedByPeer, far.endedByPeer], [false, true], 'who ended it')
  t.equal(nearEnd.text, '')
}

async function refusesForeigners(t: Test, side: StreamsSide): Promise<void> {
  const [ours, foreign] = [await side.machine('ours'), await side.machine('foreign')]
  let welcomed = 0
  const count = (stream: Stream): void => {
    welcomed += 1
    stream.handlers = quiet
  }
  const door = await ours.streams.listen({ host: ours.host, port: 0 }, count)
  const trap = await foreign.streams.listen({ host: foreign.host, port: 0 }, count)
  t.teardown(() => door.close())
  t.teardown(() => trap.close())
  const knock = foreign.streams.connect(
    { host: ours.host, port: door.port },
    { timeoutMs, handlers: quiet },
  )
  await t.rejects(side.run(knock), { name: 'StreamError', reason: 'refused' })
  const step = ours.streams.connect(
    { host: foreign.host, port: trap.port },
    { timeoutMs, handlers: quiet },
  )
  await t.rejects(side.run(step), { name: 'StreamError', reason: 'untrusted' })
  t.equal(welcomed, 0)
}

async function refusesUnlisted(t: Test, side: StreamsSide): Promise<void> {
  const { server, client, near, far, nearEnd, farEnd } = await connectPair(t, side)
  t.equal(server.streams.dropUnlisted(), 0)
  server.unlisted.add(client.keyHash)
  t.equal(server.streams.dropUnlisted(), 1)
  await side.run(nearEnd.until(() => nearEnd.closes.length > 0))
  await side.run(farEnd.until(() => farEnd.closes.length > 0))
  t.same([near.endedByPeer, far.endedByPeer], [true, false], 'the listener has ended it')
  near.close()
  const listener = await server.streams.listen({ host: server.host, port: 0 }, () => {
    t.fail('nobody is let in')
  })
  t.teardown(() => listener.close())
  const address = { host: server.host, port: listener.port }
  const again = client.streams.connect(address, { timeoutMs, handlers: quiet })
  await t.rejects(side.run(again), { name: 'StreamError', reason: 'refused' })
}

async function renews(t: Test, side: StreamsSide): Promise<void> {
  const { server, client, near, farEnd } = await connectPair(t, side)
  const renewed = await client.renew()
  near.write(utf8('still here'))
  await side.run(farEnd.until(() => farEnd.text === 'still here'))
  const seen: string[] = []
  const listener = await server.streams.listen({ host: server.host, port: 0 }, (stream) => {
    seen.push(stream.peer.keyHash)
    stream.handlers = quiet
  })
  t.teardown(() => listener.close())
  const address = { host: server.host, port: listener.port }
  const stream = await side.run(client.streams.connect(address, { timeoutMs, handlers: quiet }))
  t.same(seen, [renewed.keyHash])
  t.not(renewed.keyHash, client.keyHash)
  stream.close()
}

async function tellsAbsence(t: Test, side: StreamsSide): Promise<void> {
  const [one, other] = [await side.machine('ours'), await side.machine('ours')]
  const listener = await other.streams.listen({ host: other.host, port: 0 }, () => undefined)
  await listener.close()
  const gone = one.streams.connect(
    { host: other.host, port: listener.port },
    { timeoutMs, handlers: quiet },
  )
  await t.rejects(side.run(gone), { name: 'StreamError', reason: 'unreachable' })
  const silent = one.streams.connect(await side.silentAddress(), {
    timeoutMs: 50,
    handlers: quiet,
  })
  await t.rejects(side.run(silent), { name: 'StreamError', reason: 'timeout' })
}
