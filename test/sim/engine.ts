/**
 * A container engine in memory, of one simulated machine. It outlives the agent that speaks to
 * it, as dockerd does, and its containers outlive the engine, as with live-restore.
 */
import type { ContainerSpec } from '../../src/base/container-spec.ts'
import { JangadaError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type {
  ContainerEvent,
  ContainerFacts,
  Containers,
  ContainerUsage,
  EngineInfo,
  LogOptions,
} from '../../src/ports/containers.ts'
import type { DiskSpace, ImageFacts } from '../../src/ports/images.ts'
import type { Timer } from '../../src/ports/clock.ts'
import type { SimulatedTime } from './clock.ts'
import { SimulatedImages } from './engine-images.ts'
import { requirePorts } from './engine-ports.ts'
import { readProgram, type ProgramStep } from './engine-programs.ts'

export interface SimulatedEngineOptions {
  readonly time: SimulatedTime
  readonly random: SeededRandom
  readonly name?: string
  readonly liveRestore?: boolean
  /** Images that are here from the start. */
  readonly images?: readonly string[]
  /** Images that a pull finds. */
  readonly registry?: readonly string[]
}

interface Simulated {
  readonly id: string
  readonly name: string
  readonly spec: ContainerSpec
  readonly image: string
  readonly lines: string[]
  state: ContainerFacts['state']
  exitCode: number | undefined
  startedAtMs: number | undefined
  finishedAtMs: number | undefined
  timer: Timer | undefined
}

interface Subscriber {
  readonly matches: (container: Simulated) => boolean
  readonly queue: ContainerEvent[]
  wake: () => void
  ended: boolean
}

/** True times of day begin here, so that they are dates. */
const wallMsAtZero = 1_767_225_600_000
const sigkill = 137
/** What Docker says of a container that ran when its machine lost its power. */
const lostExitCode = 255

export class SimulatedEngine implements Containers {
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #info: EngineInfo
  /** Its images and their disk. */
  readonly store: SimulatedImages
  readonly #containers = new Map<string, Simulated>()
  readonly #subscribers = new Set<Subscriber>()
  readonly #watchers = new Set<() => void>()
  #up = true
  /** Grows whenever the engine goes down: calls from before it are lost. */
  #life = 0
  /** Starts of containers there ever were, for tests that count. */
  starts = 0

  constructor(options: SimulatedEngineOptions) {
    this.#time = options.time
    this.#random = options.random
    this.store = new SimulatedImages(this.#random, options.registry ?? [])
    for (const image of options.images ?? ['busybox:jangada']) this.store.add(image)
    this.#info = {
      id: options.random.fork().uint32().toString(16),
      name: options.name ?? 'simulated',
      version: 'simulated',
      liveRestore: options.liveRestore ?? true,
      cpus: 2,
      memoryBytes: 2 ** 31,
    }
  }

  // What the world does to it

  /** The engine's process dies; its containers run on. */
  crash(): void {
    this.#up = false
    this.#life += 1
    for (const subscriber of this.#subscribers) {
      subscriber.ended = true
      subscriber.wake()
    }
    for (const wake of this.#watchers) wake()
  }

  restart(): void {
    this.#up = true
  }

  /** Engine and containers are dead at once, and nobody is told. */
  powerOff(): void {
    for (const container of this.#containers.values()) {
      if (container.state === 'running') this.#end(container, lostExitCode, false)
    }
    this.crash()
  }

  /** From now on a pull finds it. */
  publish(reference: string, sizeBytes?: number): void {
    this.store.publish(reference, sizeBytes)
  }

  /** As `docker kill` by somebody else, or the kernel's OOM killer. */
  killContainer(id: string): void {
    const container = this.#containers.get(id)
    if (container?.state === 'running') this.#end(container, sigkill, this.#up)
  }

  /** As `docker rm -f` by somebody else. */
  removeContainer(id: string): void {
    this.#remove(id)
  }

  /** What runs, engine up or down: for invariants. */
  get running(): readonly ContainerFacts[] {
    return [...this.#containers.values()]
      .filter(({ state }) => state === 'running')
      .map((container) => this.#facts(container))
  }

  get all(): readonly ContainerFacts[] {
    return [...this.#containers.values()].map((container) => this.#facts(container))
  }

  // What the port promises

  info(): Promise<EngineInfo> {
    return this.#work(1, 3, () => this.#info)
  }

  list(label: string, value: string): Promise<readonly ContainerFacts[]> {
    return this.#work(1, 6, () =>
      [...this.#containers.values()]
        .filter(({ spec }) => spec.Labels?.[label] === value)
        .map((container) => this.#facts(container)),
    )
  }

  async *events(label: string, value: string, signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    const subscriber: Subscriber = {
      matches: ({ spec }) => spec.Labels?.[label] === value,
      queue: [],
      wake: () => undefined,
      ended: false,
    }
    await this.#work(1, 3, () => this.#subscribers.add(subscriber))
    const stop = (): void => subscriber.wake()
    signal.addEventListener('abort', stop, { once: true })
    try {
      yield { id: '', kind: 'subscribed' }
      while (!signal.aborted) {
        const next = subscriber.queue.shift()
        if (next !== undefined) yield next
        else if (subscriber.ended) return
        else await new Promise<void>((resolve) => (subscriber.wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.#subscribers.delete(subscriber)
    }
  }

  create(name: string, spec: ContainerSpec): Promise<string> {
    return this.#work(20, 80, () => {
      const image = this.store.find(spec.Image)
      if (image === undefined) {
        throw new JangadaError('JGD_IMAGE_MISSING', `${spec.Image} is not on this machine`)
      }
      if ([...this.#containers.values()].some((each) => each.name === name)) {
        throw new JangadaError('JGD_CONFLICT', `the name ${name} is taken`)
      }
      const id = Buffer.from(this.#random.bytes(32)).toString('hex')
      const container: Simulated = {
        id,
        name,
        spec,
        image,
        lines: [],
        state: 'created',
        exitCode: undefined,
        startedAtMs: undefined,
        finishedAtMs: undefined,
        timer: undefined,
      }
      this.#containers.set(id, container)
      this.#tell(container, 'create')
      return id
    })
  }

  start(id: string): Promise<void> {
    return this.#work(40, 180, () => {
      const container = this.#find(id)
      if (container.state === 'running') return
      const { Entrypoint = [], Cmd = [] } = container.spec
      const program = readProgram([...Entrypoint, ...Cmd])
      if (program === undefined) {
        throw new JangadaError('JGD_BAD_REQUEST', `no such program: ${Cmd[0] ?? ''}`)
      }
      const others = [...this.#containers.values()].filter(({ state }) => state === 'running')
      requirePorts(
        container.spec,
        others.map((each) => each.spec),
      )
      this.starts += 1
      container.state = 'running'
      container.exitCode = undefined
      container.startedAtMs = this.#wallMs()
      this.#tell(container, 'start')
      this.#run(container, program)
    })
  }

  async stop(id: string, signal: string | undefined, graceMs: number | undefined): Promise<void> {
    const container = this.#containers.get(id)
    await this.#work(5, 20, () => undefined)
    if (container?.state !== 'running') return
    const life = this.#life
    if (this.#dies(container, signal ?? container.spec.StopSignal ?? 'SIGTERM')) {
      this.#end(container, signal === 'SIGKILL' ? sigkill : 143, true)
      return
    }
    await this.#until(container, graceMs)
    if (life !== this.#life) throw down()
    if (this.#isRunning(container)) this.#end(container, sigkill, true)
  }

  remove(id: string): Promise<void> {
    return this.#work(5, 30, () => this.#remove(id))
  }

  removeStopped(id: string): Promise<boolean> {
    return this.#work(5, 30, () => {
      const container = this.#containers.get(id)
      if (container !== undefined && this.#isRunning(container)) return false
      this.#remove(id)
      return true
    })
  }

  imageDigest(reference: string): Promise<string | undefined> {
    return this.#work(1, 3, () => this.store.find(reference))
  }

  usage(ids: readonly string[]): Promise<ReadonlyMap<string, ContainerUsage>> {
    return this.#work(1, 3, () => {
      const running = ids.flatMap((id) => this.#containers.get(id) ?? [])
      return new Map(
        running
          .filter((each) => this.#isRunning(each))
          .map(({ id, startedAtMs = 0 }) => [id, usedSince(startedAtMs, this.#wallMs())]),
      )
    })
  }

  async pull(
    reference: string,
    deadlineMs: number,
    onProgress: (text: string) => void,
    firstWordMs = deadlineMs,
  ): Promise<void> {
    const usual = { firstWordMs: 0, allMs: this.#random.integer(200, 3000) }
    const pace = this.store.registryPace ?? usual
    const wordLimitMs = Math.min(firstWordMs, deadlineMs)
    const life = this.#life
    const failed = new JangadaError('JGD_IMAGE_PULL', `${reference} could not be pulled`)
    await this.#wait(Math.min(pace.firstWordMs, wordLimitMs))
    if (life !== this.#life || !this.#up) throw down()
    if (pace.firstWordMs > wordLimitMs) throw failed
    onProgress('0 of 1 layers')
    await this.#wait(Math.min(pace.allMs, deadlineMs) - pace.firstWordMs)
    if (life !== this.#life || !this.#up) throw down()
    if (pace.allMs > deadlineMs || !this.store.pull(reference)) throw failed
  }

  images(): Promise<readonly ImageFacts[]> {
    return this.#work(1, 6, () => this.store.list(this.#used))
  }

  removeImage(id: string, names: readonly string[]): Promise<void> {
    return this.#work(20, 500, () => this.store.remove(id, names, this.#used))
  }

  diskSpace(): Promise<DiskSpace> {
    return this.#work(1, 3, () => this.store.disk)
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const container = await this.#work(1, 3, () => this.#find(id))
    let at = Math.max(0, container.lines.length - options.tail)
    let wake = (): void => undefined
    const ring = (): void => wake()
    this.#watchers.add(ring)
    signal.addEventListener('abort', ring, { once: true })
    try {
      while (!signal.aborted && this.#up) {
        const text = container.lines.slice(at).join('')
        at = container.lines.length
        if (text !== '') yield new TextEncoder().encode(text)
        else if (!options.follow || container.state !== 'running') return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', ring)
      this.#watchers.delete(ring)
    }
  }

  // How it works inside

  /** Takes effect, and answers, some time later; unless the engine is gone by then. */
  async #work<T>(leastMs: number, mostMs: number, effect: () => T): Promise<T> {
    const life = this.#life
    if (!this.#up) {
      await this.#wait(0.1)
      throw down()
    }
    await this.#wait(leastMs + this.#random.fraction() * (mostMs - leastMs))
    if (life !== this.#life || !this.#up) throw down()
    return effect()
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#time.after(ms, resolve))
  }

  #until(container: Simulated, limitMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer =
        limitMs === undefined ? undefined : this.#time.after(limitMs, () => settleWait())
      const look = (): void => {
        if (container.state !== 'running' || !this.#up) settleWait()
      }
      const settleWait = (): void => {
        timer?.cancel()
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  #isRunning(container: Simulated): boolean {
    return this.#containers.get(container.id)?.state === 'running'
  }

  #find(id: string): Simulated {
    const container = this.#containers.get(id)
    if (container === undefined) throw new JangadaError('JGD_NOT_FOUND', `no such container: ${id}`)
    return container
  }

  #run(container: Simulated, [step, ...rest]: readonly ProgramStep[]): void {
    if (container.state !== 'running') return
    if (step === undefined) this.#end(container, 0, this.#up)
    else if (step.kind === 'exit') this.#end(container, step.code, this.#up)
    else if (step.kind === 'echo') {
      container.lines.push(step.text)
      for (const wake of this.#watchers) wake()
      this.#run(container, rest)
    } else {
      container.timer = this.#time.after(step.ms, () => this.#run(container, rest))
    }
  }

  /** A program that is process 1 hears only the signals that it asked for, and SIGKILL. */
  #dies(container: Simulated, signal: string): boolean {
    return signal === 'SIGKILL' || container.spec.HostConfig?.Init === true
  }

  #end(container: Simulated, exitCode: number, tell: boolean): void {
    container.timer?.cancel()
    container.state = 'exited'
    container.exitCode = exitCode
    container.finishedAtMs = this.#wallMs()
    if (tell) this.#tell(container, 'die')
    for (const wake of this.#watchers) wake()
  }

  #remove(id: string): void {
    const container = this.#containers.get(id)
    if (container === undefined) return
    if (container.state === 'running') this.#end(container, sigkill, this.#up)
    this.#containers.delete(id)
    this.#tell(container, 'destroy')
  }

  #tell(container: Simulated, kind: ContainerEvent['kind']): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.ended || !subscriber.matches(container)) continue
      subscriber.queue.push({ id: container.id, kind })
      subscriber.wake()
    }
  }

  /** Images that containers have. */
  get #used(): ReadonlySet<string> {
    return new Set([...this.#containers.values()].map(({ image }) => image))
  }

  #facts({ id, name, spec, image: imageDigest, ...rest }: Simulated): ContainerFacts {
    const { state, exitCode, startedAtMs, finishedAtMs } = rest
    const labels = spec.Labels ?? {}
    const told = { id, name, image: spec.Image, imageDigest, labels, state, exitCode }
    return { ...told, startedAtMs, finishedAtMs }
  }

  #wallMs(): number {
    return wallMsAtZero + Math.floor(this.#time.nowMs)
  }
}

const down = (): JangadaError =>
  new JangadaError('JGD_ENGINE_DOWN', 'the container engine does not answer')

/** A megabyte, and a hundredth of a processor. */
const usedSince = (startedAtMs: number, nowMs: number): ContainerUsage => ({
  memoryBytes: 2 ** 20,
  cpuMs: (nowMs - startedAtMs) / 100,
})
