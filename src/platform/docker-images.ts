/** The images of a Docker engine, and the room they take. */
import { statfs } from 'node:fs/promises'
import path from 'node:path'
import type Docker from 'dockerode'
import { describeError, JangadaError } from '../base/errors.ts'
import type { DiskSpace, ImageFacts } from '../ports/images.ts'
import { abortAfter, type DockerConnection } from './docker-connection.ts'
import { engineError, isAbsent } from './docker-errors.ts'
import { jsonLines } from './docker-streams.ts'

/** Thousands of files on a slow disk that other containers use as well. */
const removeMs = 600_000
/** Where containerd keeps images when the engine leaves them to it. */
const containerdRoot = '/var/lib/containerd'
/** What the engine writes for an image without a name. */
const noName = '<none>:<none>'

export class DockerImages {
  readonly #connection: DockerConnection
  readonly #root: string
  /** Directories with the engine's data, once it has said so. */
  #where: readonly string[] | undefined

  constructor(connection: DockerConnection, root: string) {
    this.#connection = connection
    this.#root = root
  }

  async digest(reference: string): Promise<string | undefined> {
    return (await this.#inspect(reference))?.Id
  }

  async pull(
    reference: string,
    deadlineMs: number,
    onProgress: (text: string) => void,
    firstWordMs = deadlineMs,
  ): Promise<void> {
    const deadline = abortAfter(deadlineMs)
    const silence = abortAfter(firstWordMs)
    const givenUp = new AbortController()
    const giveUp = (): void => givenUp.abort()
    deadline.addEventListener('abort', giveUp, { once: true })
    silence.addEventListener('abort', giveUp, { once: true })
    try {
      const stream = await this.#connection.call((docker) =>
        docker.pull(reference, { abortSignal: givenUp.signal }),
      )
      const layers = new Map<string, string>()
      for await (const item of jsonLines(stream as AsyncIterable<Uint8Array>)) {
        silence.removeEventListener('abort', giveUp)
        const { id, status, error } = item as { id?: string; status?: string; error?: string }
        if (error !== undefined) throw new Error(error)
        if (id !== undefined && status !== undefined) layers.set(id, status)
        onProgress(describeProgress(layers, status ?? ''))
      }
    } catch (error) {
      const isOurs = givenUp.signal.aborted
      if (error instanceof JangadaError && error.code === 'JGD_ENGINE_DOWN' && !isOurs) throw error
      const why = !isOurs
        ? describeError(error)
        : deadline.aborted
          ? `not finished in ${Math.round(deadlineMs / 1000)} s`
          : `the registry said nothing in ${Math.round(firstWordMs / 1000)} s`
      throw new JangadaError('JGD_IMAGE_PULL', `${reference} could not be pulled: ${why}`, {
        cause: error,
        hint: 'is the name right, and can this machine reach the registry?',
      })
    }
  }

  async list(): Promise<readonly ImageFacts[]> {
    const listed = await this.#connection.ask((docker, abortSignal) =>
      docker.listImages({ abortSignal }),
    )
    // After the images: one that is listed and given to a container meanwhile is in use.
    const used = await this.#used()
    return listed.map(({ Id: id, RepoTags: names, Size: sizeBytes }) => ({
      id,
      names: namesOf(names),
      sizeBytes,
      isInUse: used.has(id),
    }))
  }

  /**
   * By one name after the other and then by its id, never by force: the engine itself looks once more
   * whether a container has it before the last name goes.
   */
  async remove(id: string, names: readonly string[]): Promise<void> {
    const image = await this.#inspect(id)
    if (image === undefined) return
    const tags = namesOf(image.RepoTags)
    const other = tags.find((name) => !names.includes(name))
    if (other !== undefined) throw new JangadaError('JGD_CONFLICT', `${id} is ${other} as well`)
    if ((await this.#used()).has(id)) {
      throw new JangadaError('JGD_CONFLICT', `a container has the image ${id}`)
    }
    for (const each of [...tags, ...(image.RepoDigests ?? []), id]) await this.#removeOne(each)
  }

  async #removeOne(reference: string): Promise<void> {
    try {
      await this.#connection.change(
        (docker, abortSignal) => docker.getImage(reference).remove({ noprune: true, abortSignal }),
        removeMs,
      )
    } catch (error) {
      // The last name took the image with it, or the last tag the digest.
      if (!isAbsent(error)) throw error
    }
  }

  /**
   * From what the engine says of itself. It is asked for that when it is first spoken to, and not with each
   * look at the disk: it gives no answer while it looks up a registry whose name server is silent.
   */
  learnWhere(info: Readonly<Record<string, unknown>>): readonly string[] {
    const { DockerRootDir, DriverStatus } = info as unknown as EngineData
    const ofContainerd = (DriverStatus ?? []).some(([, value]) => /containerd/.test(value))
    this.#where = [DockerRootDir, ...(ofContainerd ? [containerdRoot] : [])]
    return this.#where
  }

  async diskSpace(): Promise<DiskSpace> {
    const where = this.#where ?? this.learnWhere(await this.#connection.info())
    const spaces = await Promise.all(where.map((each) => this.#spaceAt(each)))
    const [least, ...others] = spaces.filter((space) => space !== undefined)
    if (least === undefined) {
      throw new JangadaError('JGD_NOT_FOUND', `the engine's data is not at ${where.join(' or ')}`)
    }
    return others.reduce((a, b) => (shareLeft(b) < shareLeft(a) ? b : a), least)
  }

  /** Undefined when there is nothing. */
  async #spaceAt(directory: string): Promise<DiskSpace | undefined> {
    try {
      const { bsize, blocks, bfree, bavail } = await statfs(path.join(this.#root, directory))
      const totalBytes = (blocks - bfree + bavail) * bsize
      return totalBytes > 0 ? { path: directory, totalBytes, freeBytes: bavail * bsize } : undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw engineError(error)
    }
  }

  async #inspect(reference: string): Promise<Docker.ImageInspectInfo | undefined> {
    try {
      return await this.#connection.ask((docker) => docker.getImage(reference).inspect())
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** Ids of images that containers have. */
  async #used(): Promise<ReadonlySet<string>> {
    const containers = await this.#connection.ask((docker, abortSignal) =>
      docker.listContainers({ all: true, abortSignal }),
    )
    return new Set(containers.map(({ ImageID }) => ImageID))
  }
}

interface EngineData {
  readonly DockerRootDir: string
  readonly DriverStatus?: readonly (readonly [string, string])[] | null
}

const namesOf = (tags: readonly string[] | null | undefined): readonly string[] =>
  (tags ?? []).filter((name) => name !== noName)

const shareLeft = ({ freeBytes, totalBytes }: DiskSpace): number => freeBytes / totalBytes

function describeProgress(layers: ReadonlyMap<string, string>, last: string): string {
  if (layers.size === 0) return last
  const done = [...layers.values()].filter((each) => /^(Pull complete|Already exists)/.test(each))
  return `${done.length} of ${layers.size} layers`
}
