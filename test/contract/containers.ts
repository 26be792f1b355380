/** What every side of `ports/Containers` must do. The programs are busybox's. */
import type { Test } from 'tap'
import type { ContainerSpec } from '../../src/base/container-spec.ts'
import type { ContainerEvent, ContainerFacts, Containers } from '../../src/ports/containers.ts'

export interface ContainersSide {
  readonly engine: Containers
  /** Lets time pass until `promise` settles: a real engine needs nothing but waiting. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>
  /** The engine's process dies, containers run on; and it comes back. */
  readonly crash: () => Promise<void>
  readonly restart: () => Promise<void>
  /** Another image of this name, of which nothing else has a layer that takes room. */
  readonly makeImage: (name: string) => Promise<void>
}

const image = 'busybox:jangada'
const label = 'jangada.test'

type Run = ContainersSide['run']

/** The side at work, with what most tests do with it. */
class Bench {
  readonly engine: Containers
  readonly run: Run
  readonly side: ContainersSide
  named = 0

  constructor(side: ContainersSide) {
    this.side = side
    this.engine = side.engine
    this.run = side.run
  }

  specOf(value: string, cmd: readonly string[]): ContainerSpec {
    return { Image: image, Cmd: cmd, Labels: { [label]: value } }
  }

  create(value: string, cmd: readonly string[]): Promise<string> {
    this.named += 1
    return this.run(this.engine.create(`contract-${this.named}`, this.specOf(value, cmd)))
  }

  async started(value: string, cmd: readonly string[]): Promise<string> {
    const id = await this.create(value, cmd)
    await this.run(this.engine.start(id))
    return id
  }

  async facts(value: string, id: string): Promise<ContainerFacts | undefined> {
    return (await this.run(this.engine.list(label, value))).find((each) => each.id === id)
  }

  listen(value: string): Listener {
    return new Listener(this.engine, value)
  }
}

export function containersContract(t: Test, side: ContainersSide): void {
  const bench = new Bench(side)
  saysWhoItIs(t, bench)
  livesAndEnds(t, bench)
  keepsToItsLabel(t, bench)
  stops(t, bench)
  refuses(t, bench)
  tellsOutput(t, bench)
  tellsUse(t, bench)
  endsFollowing(t, bench)
  tellsRoom(t, bench)
  tellsImages(t, bench)
  crashes(t, bench)
  t.end()
}

function saysWhoItIs(t: Test, bench: Bench): void {
  t.test('an engine says who it is', async (t) => {
    const info = await bench.run(bench.engine.info())
    t.ok(info.id !== '' && info.name !== '')
    t.ok(info.cpus > 0 && info.memoryBytes > 0)
  })
}

function livesAndEnds(t: Test, bench: Bench): void {
  t.test('a container is made, runs, ends, and its exit code is known', async (t) => {
    const id = await bench.create('life', ['sh', '-c', 'sleep 0.3; exit 3'])
    t.match(await bench.facts('life', id), { state: 'created', exitCode: undefined })
    const listener = bench.listen('life')
    t.equal(await bench.run(listener.next()), 'subscribed')
    await bench.run(bench.engine.start(id))
    t.equal(await bench.run(listener.until(id, 'start')), 'start')
    const running = await bench.facts('life', id)
    t.match(running, { state: 'running', image, exitCode: undefined, labels: { [label]: 'life' } })
    t.equal(running?.imageDigest, await bench.run(bench.engine.imageDigest(image)))
    t.equal(await bench.run(listener.until(id, 'die')), 'die')
    const ended = await bench.facts('life', id)
    t.match(ended, { state: 'exited', exitCode: 3 })
    t.ok((ended?.finishedAtMs ?? 0) - (ended?.startedAtMs ?? Infinity) >= 250, 'it ran as long')
    await bench.run(bench.engine.remove(id))
    t.equal(await bench.run(listener.until(id, 'destroy')), 'destroy')
    t.equal(await bench.facts('life', id), undefined)
    listener.close()
  })
}

function tellsUse(t: Test, bench: Bench): void {
  t.test(
    'what a container uses grows with its work; one that has ended uses nothing',
    async (t) => {
      const busy = await bench.started('use', ['sh', '-c', 'sleep 1000'])
      const ended = await bench.started('use', ['true'])
      const listener = bench.listen('use')
      await bench.run(listener.next())
      const hasEnded = async (): Promise<boolean> =>
        (await bench.facts('use', ended))?.state === 'exited'
      while (!(await hasEnded())) await bench.run(bench.engine.info())
      const first = await bench.run(bench.engine.usage([busy, ended, 'f'.repeat(64)]))
      t.same([...first.keys()], [busy])
      const { memoryBytes = 0, cpuMs = -1 } = first.get(busy) ?? {}
      t.ok(memoryBytes > 0 && memoryBytes < 2 ** 30, `${memoryBytes} bytes`)
      t.ok(cpuMs >= 0)
      const later = (await bench.run(bench.engine.usage([busy]))).get(busy)
      t.ok((later?.cpuMs ?? 0) >= cpuMs)
      t.same(await bench.run(bench.engine.usage([])), new Map())
      listener.close()
      await bench.run(Promise.all([bench.engine.remove(busy), bench.engine.remove(ended)]))
    },
  )
}

function keepsToItsLabel(t: Test, bench: Bench): void {
  t.test('only containers with the label are listed and told of', async (t) => {
    const listener = bench.listen('mine')
    t.equal(await bench.run(listener.next()), 'subscribed')
    const other = await bench.started('other', ['sleep', '1000'])
    const mine = await bench.started('mine', ['sleep', '1000'])
    t.same(
      (await bench.run(bench.engine.list(label, 'mine'))).map(({ id }) => id),
      [mine],
    )
    await bench.run(listener.until(mine, 'start'))
    t.notOk(listener.heard.some(({ id }) => id === other))
    listener.close()
    await bench.run(Promise.all([bench.engine.remove(other), bench.engine.remove(mine)]))
  })
}

function stops(t: Test, bench: Bench): void {
  t.test('process 1 ignores a signal it did not ask for, and dies after the grace', async (t) => {
    const id = await bench.started('stop', ['sleep', '1000'])
    await bench.run(bench.engine.stop(id, undefined, 200))
    t.match(await bench.facts('stop', id), { state: 'exited', exitCode: 137 })
    await bench.run(bench.engine.stop(id, undefined, 200))
    t.ok(await bench.run(bench.engine.removeStopped(id)))
    t.ok(await bench.run(bench.engine.removeStopped(id)), 'absent is fine')
    const killed = await bench.started('stop', ['sleep', '1000'])
    t.notOk(await bench.run(bench.engine.removeStopped(killed)), 'one that runs is left alone')
    t.match(await bench.facts('stop', killed), { state: 'running' })
    await bench.run(bench.engine.stop(killed, 'SIGKILL', undefined))
    t.match(await bench.facts('stop', killed), { state: 'exited', exitCode: 137 })
    await bench.run(bench.engine.remove(killed))
    await bench.run(bench.engine.remove(killed))
    await bench.run(bench.engine.stop(killed, 'SIGTERM', 1000))
  })
}

function refuses(t: Test, bench: Bench): void {
  t.test('what cannot be is refused with a code', async (t) => {
    const missing = bench.engine.create('contract-none', { Image: 'nobody/has:this' })
    await t.rejects(bench.run(missing), { code: 'JGD_IMAGE_MISSING' })
    t.equal(await bench.run(bench.engine.imageDigest('nobody/has:this')), undefined)
    const id = await bench.create('twice', ['sleep', '1'])
    const twice = bench.engine.create(
      `contract-${bench.named}`,
      bench.specOf('twice', ['sleep', '1']),
    )
    await t.rejects(bench.run(twice), { code: 'JGD_CONFLICT' })
    await bench.run(bench.engine.remove(id))
    const nothing = await bench.create('nothing', ['no-such-program'])
    await t.rejects(bench.run(bench.engine.start(nothing)), { code: 'JGD_BAD_REQUEST' })
    await bench.run(bench.engine.remove(nothing))
    const pull = bench.engine.pull('registry.invalid/has:this', 1_000, () => undefined)
    await t.rejects(bench.run(pull), { code: 'JGD_IMAGE_PULL' })
  })
}

function tellsOutput(t: Test, bench: Bench): void {
  t.test('output is read to its end, from its tail, and followed', async (t) => {
    const id = await bench.started('logs', [
      'sh',
      '-c',
      'echo one; echo two; sleep 0.5; echo three',
    ])
    const read = async (tail: number, follow: boolean): Promise<string> => {
      const parts: Uint8Array[] = []
      const { signal } = new AbortController()
      for await (const part of bench.engine.logs(id, { tail, follow }, signal)) parts.push(part)
      return Buffer.concat(parts).toString()
    }
    t.equal(
      await bench.run(read(100, true)),
      'one\ntwo\nthree\n',
      'followed until the container ends',
    )
    t.equal(await bench.run(read(1, false)), 'three\n')
    await bench.run(bench.engine.remove(id))
  })
}

function endsFollowing(t: Test, bench: Bench): void {
  t.test('following ends when the reader has enough', async (t) => {
    const id = await bench.started('long', ['sh', '-c', 'echo one; sleep 1000'])
    const enough = new AbortController()
    const reading = (async (): Promise<number> => {
      let parts = 0
      for await (const part of bench.engine.logs(id, { tail: 10, follow: true }, enough.signal)) {
        parts += part.length > 0 ? 1 : 0
        enough.abort()
      }
      return parts
    })()
    t.equal(await bench.run(reading), 1)
    await bench.run(bench.engine.remove(id))
  })
}

function tellsImages(t: Test, bench: Bench): void {
  const { engine, run } = bench
  const find = async (id: string) => (await run(engine.images())).find((each) => each.id === id)
  t.test('an image is removed once no container has it, and not while one has', async (t) => {
    await run(bench.side.makeImage('contract:1'))
    const own = (await run(engine.imageDigest('contract:1'))) ?? ''
    t.match(await find(own), { names: ['contract:1'], isInUse: false })
    t.ok(((await find(own))?.sizeBytes ?? 0) > 0)
    const spec = { ...bench.specOf('image', ['sh', '-c', 'sleep 1000']), Image: 'contract:1' }
    const id = await run(engine.create('contract-image', spec))
    t.match(await find(own), { isInUse: true }, 'a container that was never started has it')
    const refused = { code: 'JGD_CONFLICT' }
    await t.rejects(run(engine.removeImage(own, ['contract:1'])), refused)
    await run(engine.start(id))
    await t.rejects(run(engine.removeImage(own, ['contract:1'])), refused)
    await run(engine.remove(id))
    await t.rejects(run(engine.removeImage(own, ['another:1'])), refused, 'it has another name')
    t.match(await find(own), { names: ['contract:1'], isInUse: false }, 'nothing has changed')
    await run(engine.removeImage(own, ['contract:1']))
    t.equal(await find(own), undefined)
    t.equal(await run(engine.imageDigest('contract:1')), undefined)
    await run(engine.removeImage(own, ['contract:1']))
  })
  t.test('an image whose name went to another is still there, and removed by its id', async (t) => {
    await run(bench.side.makeImage('contract:moving'))
    const before = (await run(engine.imageDigest('contract:moving'))) ?? ''
    await run(bench.side.makeImage('contract:moving'))
    const after = (await run(engine.imageDigest('contract:moving'))) ?? ''
    t.not(after, before)
    t.match(await find(before), { names: [], isInUse: false })
    await run(engine.removeImage(before, []))
    t.equal(await find(before), undefined)
    t.match(await find(after), { names: ['contract:moving'] })
    await run(engine.removeImage(after, ['contract:moving']))
  })
}

function tellsRoom(t: Test, bench: Bench): void {
  t.test('an engine says how much room its disk has', async (t) => {
    const { path, totalBytes, freeBytes } = await bench.run(bench.engine.diskSpace())
    t.match(path, /^\//)
    t.ok(freeBytes > 0 && freeBytes <= totalBytes, `${freeBytes} of ${totalBytes} bytes`)
  })
}

function crashes(t: Test, bench: Bench): void {
  t.test('an engine that dies tells no deaths, and its containers run on', async (t) => {
    const id = await bench.started('crash', ['sleep', '1000'])
    const before = await bench.facts('crash', id)
    const listener = bench.listen('crash')
    t.equal(await bench.run(listener.next()), 'subscribed')
    const ended = listener.ended
    await bench.run(bench.side.crash())
    await bench.run(ended)
    t.notOk(listener.heard.some(({ kind }) => kind === 'die'))
    await t.rejects(bench.run(bench.engine.info()), { code: 'JGD_ENGINE_DOWN' })
    await t.rejects(bench.run(bench.engine.list(label, 'crash')), { code: 'JGD_ENGINE_DOWN' })
    await bench.run(bench.side.restart())
    t.match(await bench.facts('crash', id), { state: 'running', startedAtMs: before?.startedAtMs })
    await bench.run(bench.engine.remove(id))
  })
}

/** One stream of events, heard in order. */
class Listener {
  readonly heard: ContainerEvent[] = []
  /** Resolves when the stream ends by itself. */
  readonly ended: Promise<void>
  readonly #stop = new AbortController()
  readonly #wakes = new Set<() => void>()
  #read = 0

  constructor(engine: Containers, value: string) {
    this.ended = (async () => {
      for await (const event of engine.events(label, value, this.#stop.signal)) {
        this.heard.push(event)
        for (const wake of this.#wakes) wake()
      }
    })()
  }

  async next(): Promise<string | undefined> {
    while (this.heard.length <= this.#read) await this.#news()
    this.#read += 1
    return this.heard[this.#read - 1]?.kind
  }

  async until(id: string, kind: string): Promise<string> {
    const there = (): boolean => this.heard.some((each) => each.id === id && each.kind === kind)
    while (!there()) await this.#news()
    return kind
  }

  close(): void {
    this.#stop.abort()
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakes.delete(wake)
        resolve()
      }
      this.#wakes.add(wake)
    })
  }
}
