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
}

const image = 'busybox:jangada'
const label = 'jangada.test'

export function containersContract(t: Test, side: ContainersSide): void {
  const { engine, run } = side
  let named = 0
  const specOf = (value: string, cmd: readonly string[]): ContainerSpec => ({
    Image: image,
    Cmd: cmd,
    Labels: { [label]: value },
  })
  const create = async (value: string, cmd: readonly string[]): Promise<string> => {
    named += 1
    return run(engine.create(`contract-${named}`, specOf(value, cmd)))
  }
  const started = async (value: string, cmd: readonly string[]): Promise<string> => {
    const id = await create(value, cmd)
    await run(engine.start(id))
    return id
  }
  const facts = async (value: string, id: string): Promise<ContainerFacts | undefined> =>
    (await run(engine.list(label, value))).find((each) => each.id === id)
  const listen = (value: string): Listener => new Listener(engine, value)

  t.test('an engine says who it is', async (t) => {
    const info = await run(engine.info())
    t.ok(info.id !== '' && info.name !== '')
    t.ok(info.cpus > 0 && info.memoryBytes > 0)
  })

  t.test('a container is made, runs, ends, and its exit code is known', async (t) => {
    const id = await create('life', ['sh', '-c', 'sleep 0.3; exit 3'])
    t.match(await facts('life', id), { state: 'created', exitCode: undefined })
    const listener = listen('life')
    t.equal(await run(listener.next()), 'subscribed')
    await run(engine.start(id))
    t.equal(await run(listener.until(id, 'start')), 'start')
    const running = await facts('life', id)
    t.match(running, { state: 'running', image, exitCode: undefined, labels: { [label]: 'life' } })
    t.equal(running?.imageDigest, await run(engine.imageDigest(image)))
    t.equal(await run(listener.until(id, 'die')), 'die')
    const ended = await facts('life', id)
    t.match(ended, { state: 'exited', exitCode: 3 })
    t.ok((ended?.finishedAtMs ?? 0) - (ended?.startedAtMs ?? Infinity) >= 250, 'it ran as long')
    await run(engine.remove(id))
    t.equal(await run(listener.until(id, 'destroy')), 'destroy')
    t.equal(await facts('life', id), undefined)
    listener.close()
  })

  t.test('only containers with the label are listed and told of', async (t) => {
    const listener = listen('mine')
    t.equal(await run(listener.next()), 'subscribed')
    const other = await started('other', ['sleep', '1000'])
    const mine = await started('mine', ['sleep', '1000'])
    t.same(
      (await run(engine.list(label, 'mine'))).map(({ id }) => id),
      [mine],
    )
    await run(listener.until(mine, 'start'))
    t.notOk(listener.heard.some(({ id }) => id === other))
    listener.close()
    await run(Promise.all([engine.remove(other), engine.remove(mine)]))
  })

  t.test('process 1 ignores a signal it did not ask for, and dies after the grace', async (t) => {
    const id = await started('stop', ['sleep', '1000'])
    await run(engine.stop(id, undefined, 200))
    t.match(await facts('stop', id), { state: 'exited', exitCode: 137 })
    await run(engine.stop(id, undefined, 200))
    await run(engine.remove(id))
    const killed = await started('stop', ['sleep', '1000'])
    await run(engine.stop(killed, 'SIGKILL', undefined))
    t.match(await facts('stop', killed), { state: 'exited', exitCode: 137 })
    await run(engine.remove(killed))
    await run(engine.remove(killed))
    await run(engine.stop(killed, 'SIGTERM', 1000))
  })

  t.test('what cannot be is refused with a code', async (t) => {
    const missing = engine.create('contract-none', { Image: 'nobody/has:this' })
    await t.rejects(run(missing), { code: 'JGD_IMAGE_MISSING' })
    t.equal(await run(engine.imageDigest('nobody/has:this')), undefined)
    const id = await create('twice', ['sleep', '1'])
    const twice = engine.create(`contract-${named}`, specOf('twice', ['sleep', '1']))
    await t.rejects(run(twice), { code: 'JGD_CONFLICT' })
    await run(engine.remove(id))
    const nothing = await create('nothing', ['no-such-program'])
    await t.rejects(run(engine.start(nothing)), { code: 'JGD_BAD_REQUEST' })
    await run(engine.remove(nothing))
    const pull = engine.pull('registry.invalid/has:this', 1_000, () => undefined)
    await t.rejects(run(pull), { code: 'JGD_IMAGE_PULL' })
  })

  t.test('output is read to its end, from its tail, and followed', async (t) => {
    const id = await started('logs', ['sh', '-c', 'echo one; echo two; sleep 0.5; echo three'])
    const read = async (tail: number, follow: boolean): Promise<string> => {
      const parts: Uint8Array[] = []
      const { signal } = new AbortController()
      for await (const part of engine.logs(id, { tail, follow }, signal)) parts.push(part)
      return Buffer.concat(parts).toString()
    }
    t.equal(await run(read(100, true)), 'one\ntwo\nthree\n', 'followed until the container ends')
    t.equal(await run(read(1, false)), 'three\n')
    await run(engine.remove(id))
  })

  t.test('following ends when the reader has enough', async (t) => {
    const id = await started('long', ['sh', '-c', 'echo one; sleep 1000'])
    const enough = new AbortController()
    const reading = (async (): Promise<number> => {
      let parts = 0
      for await (const part of engine.logs(id, { tail: 10, follow: true }, enough.signal)) {
        parts += part.length > 0 ? 1 : 0
        enough.abort()
      }
      return parts
    })()
    t.equal(await run(reading), 1)
    await run(engine.remove(id))
  })

  t.test('an engine that dies tells no deaths, and its containers run on', async (t) => {
    const id = await started('crash', ['sleep', '1000'])
    const before = await facts('crash', id)
    const listener = listen('crash')
    t.equal(await run(listener.next()), 'subscribed')
    const ended = listener.ended
    await run(side.crash())
    await run(ended)
    t.notOk(listener.heard.some(({ kind }) => kind === 'die'))
    await t.rejects(run(engine.info()), { code: 'JGD_ENGINE_DOWN' })
    await t.rejects(run(engine.list(label, 'crash')), { code: 'JGD_ENGINE_DOWN' })
    await run(side.restart())
    t.match(await facts('crash', id), { state: 'running', startedAtMs: before?.startedAtMs })
    await run(engine.remove(id))
  })
  t.end()
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
