/**
 * A Docker engine behind `ports/Containers`, by its HTTP API on a unix socket. dockerode is
 * loaded when the engine is first spoken to: commands that never do so start without it.
 */
import type Docker from 'dockerode'
import { JangadaError } from '../base/errors.ts'
import type { ContainerSpec } from '../base/container-spec.ts'
import type {
  ContainerEvent,
  ContainerFacts,
  Containers,
  ContainerUsage,
  EngineInfo,
  LogOptions,
} from '../ports/containers.ts'
import type { DiskSpace, ImageFacts } from '../ports/images.ts'
import { abortAfter, DockerConnection } from './docker-connection.ts'
import { DockerImages } from './docker-images.ts'
import { toUsage } from './docker-usage.ts'
import { demultiplex, jsonLines } from './docker-streams.ts'
import { engineError, isAbsent, statusOf } from './docker-errors.ts'

export interface DockerOptions {
  readonly socketPath?: string
  /** Where the engine's own root directory is seen from here: its data is looked for below it. */
  readonly root?: string
}

export const defaultDockerSocket = '/var/run/docker.sock'

/** Containers inspected at once after a list. */
const inspectionsAtOnce = 8
/** From SIGKILL until the engine has said that the container is gone. */
const killMs = 30_000
const logTailMax = 10_000

export function dockerContainers(options: DockerOptions = {}): Containers {
  const { socketPath = defaultDockerSocket, root = '/' } = options
  return new DockerEngine(new DockerConnection(socketPath), root)
}

class DockerEngine implements Containers {
  readonly #connection: DockerConnection
  readonly #images: DockerImages
  /**
   * What was learned of each container by asking for it alone, for as long as it stays in that
   * state: a list tells neither exit codes nor times.
   */
  readonly #inspected = new Map<string, ContainerFacts>()
  /** The latest question about each container that is still to be answered, and not overtaken. */
  readonly #asking = new Map<string, symbol>()

  constructor(connection: DockerConnection, root: string) {
    this.#connection = connection
    this.#images = new DockerImages(connection, root)
  }

  async info(): Promise<EngineInfo> {
    const info = await this.#connection.info()
    this.#images.learnWhere(info)
    return {
      id: String(info.ID),
      name: String(info.Name),
      version: String(info.ServerVersion),
      liveRestore: info.LiveRestoreEnabled === true,
      cpus: Number(info.NCPU),
      memoryBytes: Number(info.MemTotal),
    }
  }

  async list(label: string, value: string): Promise<readonly ContainerFacts[]> {
    const filters = { label: [`${label}=${value}`] }
    const rows = await this.#connection.ask((docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    )
    const ids = new Set(rows.map(({ Id }) => Id))
    for (const id of this.#inspected.keys()) if (!ids.has(id)) this.#inspected.delete(id)
    // What an event makes old while the others are inspected is still there: it is listed again.
    const known = new Map(this.#inspected)
    const unknown = rows.filter(({ Id, State }) => known.get(Id)?.state !== State)
    for (let at = 0; at < unknown.length; at += inspectionsAtOnce) {
      const some = unknown.slice(at, at + inspectionsAtOnce)
      await Promise.all(
        some.map(async ({ Id }) => {
          const facts = await this.#inspect(Id)
          if (facts === undefined) known.delete(Id)
          else known.set(Id, facts)
        }),
      )
    }
    return rows.flatMap(({ Id }) => known.get(Id) ?? [])
  }

  async *events(label: string, value: string, signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    const filters = { type: ['container'], label: [`${label}=${value}`] }
    const options = { filters, abortSignal: signal } as Docker.GetEventsOptions
    const stream = await this.#connection.call((docker) => docker.getEvents(options))
    yield { id: '', kind: 'subscribed' }
    try {
      for await (const item of jsonLines(stream as AsyncIterable<Uint8Array>)) {
        const { id, Action: action } = item as { id?: unknown; Action?: unknown }
        if (typeof id !== 'string' || typeof action !== 'string') continue
        this.#inspected.delete(id)
        this.#asking.delete(id)
        yield { id, kind: eventKind(action) }
      }
    } catch {
      // The connection broke or `signal` aborted: either way this stream is over.
    }
  }

  async create(name: string, spec: ContainerSpec): Promise<string> {
    try {
      const body = { ...structuredClone(spec), name } as unknown as Docker.ContainerCreateOptions
      const container = await this.#connection.change((docker, abortSignal) =>
        docker.createContainer({ ...body, abortSignal }),
      )
      return container.id
    } catch (error) {
      if (statusOf(error) !== 404) throw error
      // Without its cause, which says no more and is read by the people who see the unit's state.
      throw new JangadaError('JGD_IMAGE_MISSING', `${spec.Image} is not on this machine`)
    }
  }

  async start(id: string): Promise<void> {
    this.#inspected.delete(id)
    try {
      await this.#connection.change((docker, abortSignal) =>
        docker.getContainer(id).start({ abortSignal }),
      )
    } catch (error) {
      // 304: it runs already.
      if (statusOf(error) !== 304) throw error
    }
  }

  async stop(id: string, signal: string | undefined, graceMs: number | undefined): Promise<void> {
    try {
      const chosen = signal ?? (await this.#stopSignal(id))
      // Waited for before it is told to stop, so that it cannot end unseen.
      const ended = this.#waitForEnd(id, graceMs)
      await Promise.all([this.#kill(id, chosen), ended])
      if (await ended) return
      const dead = this.#waitForEnd(id, killMs)
      await Promise.all([this.#kill(id, 'SIGKILL'), dead])
      if (!(await dead)) {
        throw new JangadaError('JGD_ENGINE_DOWN', `container ${id.slice(0, 12)} does not die`)
      }
    } catch (error) {
      if (!isAbsent(error)) throw error
    } finally {
      this.#inspected.delete(id)
    }
  }

  async remove(id: string): Promise<void> {
    try {
      await this.#connection.change((docker, abortSignal) =>
        docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
      )
    } catch (error) {
      // 409: somebody else is removing it at this moment.
      if (!isAbsent(error) && statusOf(error) !== 409) throw error
    } finally {
      this.#inspected.delete(id)
    }
  }

  async removeStopped(id: string): Promise<boolean> {
    try {
      await this.#connection.change((docker, abortSignal) =>
        docker.getContainer(id).remove({ v: true, abortSignal }),
      )
    } catch (error) {
      // 409: it runs, or somebody else is removing it at this moment.
      if (statusOf(error) === 409) return false
      if (!isAbsent(error)) throw error
    }
    this.#inspected.delete(id)
    return true
  }

  imageDigest(reference: string): Promise<string | undefined> {
    return this.#images.digest(reference)
  }

  pull(
    reference: string,
    deadlineMs: number,
    onProgress: (text: string) => void,
    firstWordMs?: number,
  ): Promise<void> {
    return this.#images.pull(reference, deadlineMs, onProgress, firstWordMs)
  }

  images(): Promise<readonly ImageFacts[]> {
    return this.#images.list()
  }

  removeImage(id: string, names: readonly string[]): Promise<void> {
    return this.#images.remove(id, names)
  }

  diskSpace(): Promise<DiskSpace> {
    return this.#images.diskSpace()
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const details = await this.#connection.ask((docker, abortSignal) =>
      docker.getContainer(id).inspect({ abortSignal }),
    )
    const tail = Math.min(logTailMax, options.tail)
    const shared = { stdout: true, stderr: true, tail, abortSignal: signal }
    const source = await this.#connection.call(async (docker) => {
      const container = docker.getContainer(id)
      // The type of the answer hangs on the literal type of `follow`.
      return options.follow
        ? container.logs({ ...shared, follow: true })
        : container.logs({ ...shared, follow: false })
    })
    const raw: AsyncIterable<Uint8Array> = Buffer.isBuffer(source)
      ? onceOnly(source)
      : (source as unknown as AsyncIterable<Uint8Array>)
    try {
      // With a terminal there is one stream, and the engine sends it as it is.
      yield* details.Config.Tty ? raw : demultiplex(raw)
    } catch (error) {
      if (!signal.aborted) throw engineError(error)
    }
  }

  /** Undefined when it was removed between the list and the question. */
  async usage(ids: readonly string[]): Promise<ReadonlyMap<string, ContainerUsage>> {
    const used = new Map<string, ContainerUsage>()
    for (let at = 0; at < ids.length; at += inspectionsAtOnce) {
      const some = ids.slice(at, at + inspectionsAtOnce)
      await Promise.all(
        some.map(async (id) => {
          const usage = await this.#usageOf(id)
          if (usage !== undefined) used.set(id, usage)
        }),
      )
    }
    return used
  }

  async #usageOf(id: string): Promise<ContainerUsage | undefined> {
    try {
      const options = { stream: false, 'one-shot': true } as const
      return toUsage(await this.#connection.ask((docker) => docker.getContainer(id).stats(options)))
    } catch (error) {
      // 409: it does not run.
      if (isAbsent(error) || statusOf(error) === 409) return undefined
      throw error
    }
  }

  async #inspect(id: string): Promise<ContainerFacts | undefined> {
    const question = Symbol(id)
    this.#asking.set(id, question)
    try {
      const told = await this.#connection.ask((docker, abortSignal) =>
        docker.getContainer(id).inspect({ abortSignal }),
      )
      const facts = toFacts(told)
      // An answer that an event has overtaken is not worth keeping.
      if (this.#asking.get(id) === question) this.#inspected.set(id, facts)
      return facts
    } catch (error) {
      if (!isAbsent(error)) throw error
      this.#inspected.delete(id)
      return undefined
    } finally {
      if (this.#asking.get(id) === question) this.#asking.delete(id)
    }
  }

  async #stopSignal(id: string): Promise<string> {
    const { Config } = await this.#connection.ask((docker, abortSignal) =>
      docker.getContainer(id).inspect({ abortSignal }),
    )
    const { StopSignal: signal } = Config as { StopSignal?: string }
    return signal === undefined || signal === '' ? 'SIGTERM' : signal
  }

  async #kill(id: string, signal: string): Promise<void> {
    try {
      await this.#connection.change((docker, abortSignal) =>
        docker.getContainer(id).kill({ signal, abortSignal }),
      )
    } catch (error) {
      // 409: it does not run.
      if (statusOf(error) !== 409) throw error
    }
  }

  /** False when it still runs after `graceMs`; without one, waits for ever. */
  async #waitForEnd(id: string, graceMs: number | undefined): Promise<boolean> {
    const grace = graceMs === undefined ? undefined : abortAfter(graceMs)
    try {
      await this.#connection.call((docker) =>
        docker
          .getContainer(id)
          .wait({ condition: 'not-running', ...(grace && { abortSignal: grace }) }),
      )
      return true
    } catch (error) {
      if (grace?.aborted === true) return false
      if (isAbsent(error)) return true
      throw error
    }
  }
}

async function* onceOnly(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function eventKind(action: string): ContainerEvent['kind'] {
  return action === 'create' || action === 'start' || action === 'die' || action === 'destroy'
    ? action
    : 'other'
}

function toFacts(told: Docker.ContainerInspectInfo): ContainerFacts {
  const state = told.State.Status as ContainerFacts['state']
  const hasEnded = state === 'exited' || state === 'dead'
  return {
    id: told.Id,
    name: told.Name.replace(/^\//, ''),
    image: told.Config.Image,
    imageDigest: told.Image,
    labels: told.Config.Labels,
    state,
    exitCode: hasEnded ? told.State.ExitCode : undefined,
    startedAtMs: readTime(told.State.StartedAt),
    finishedAtMs: hasEnded ? readTime(told.State.FinishedAt) : undefined,
  }
}

/** The engine writes the year 1 for "never". */
function readTime(text: string): number | undefined {
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms
}
