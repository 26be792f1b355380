/** What this machine's units had pulled, in memory and on its disk. */
import { describeError } from '../../base/errors.ts'
import { engineName } from '../../core/collection/image-names.ts'
import {
  notAfter,
  nothingPulled,
  type PulledImage,
  type PulledImages,
  withBegun,
  withEnded,
  withoutGone,
  withUnseen,
  withUsed,
} from '../../core/collection/pulled-images.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Containers } from '../../ports/containers.ts'
import type { Disk } from '../../ports/disk.ts'
import type { ImageFacts } from '../../ports/images.ts'
import type { Log } from '../../ports/log.ts'
import { readPulledImages, writePulledImages } from './pulled-images-file.ts'

/** That an image is still in use is written this often: an agent that is killed forgets no more. */
const writeUseEveryMs = 600_000

export interface PulledImagesMemoryOptions {
  readonly containers: Pick<Containers, 'imageDigest' | 'pull' | 'images'>
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** There is something to `keep`. */
  readonly onBegun: () => void
}

export class PulledImagesMemory {
  readonly #options: PulledImagesMemoryOptions
  #loading: Promise<void> | undefined
  #known: PulledImages = nothingPulled
  #written: PulledImages = nothingPulled
  #writtenAtMs = 0
  /** Something other than that what is in use is in use. */
  #hasNews = false
  /** Images of units' containers. */
  #inUse: ReadonlySet<string> = new Set()
  /** Pulls of each name that this process waits for. Invariant: each is above 0. */
  readonly #pulling = new Map<string, number>()

  constructor(options: PulledImagesMemoryOptions) {
    this.#options = options
  }

  get images(): readonly PulledImage[] {
    return this.#known.images
  }

  observe(inUse: ReadonlySet<string>): void {
    const before = this.#inUse
    if (inUse.size === before.size && [...inUse].every((id) => before.has(id))) return
    this.#inUse = inUse
    // What no container has any more was used until now.
    this.#set(withUsed(this.#known, new Set([...before, ...inUse]), this.#options.clock.wallMs()))
  }

  /** As `Containers.pull`. */
  async pull(...[reference, ...rest]: Parameters<Containers['pull']>): Promise<void> {
    const { containers } = this.#options
    await this.#load()
    const name = engineName(reference)
    const idBefore = await containers.imageDigest(reference)
    const count = this.#pulling.get(name) ?? 0
    this.#pulling.set(name, count + 1)
    if (count === 0) this.#begin(name, idBefore)
    this.#options.onBegun()
    try {
      await containers.pull(reference, ...rest)
    } finally {
      await this.#ended(name)
    }
  }

  /** What the engine has. What it has no more is forgotten. */
  async present(): Promise<readonly ImageFacts[]> {
    // What a pull brings meanwhile is not in the list.
    const before = this.#known.images
    const present = await this.#options.containers.images()
    const ids = new Set(present.map(({ id }) => id))
    const gone = before.filter(({ id }) => !ids.has(id))
    if (gone.length > 0) this.#set(withoutGone(this.#known, new Set(gone.map(({ id }) => id))))
    return present
  }

  /** Learns what pulls brought that no agent saw the end of, and writes down what is to be kept. */
  async keep(): Promise<void> {
    await this.#load()
    const { clock, disk, log, containers } = this.#options
    for (const pull of this.#known.pulls) {
      if (this.#pulling.has(pull.name)) continue
      const id = await containers.imageDigest(pull.name)
      if (!this.#pulling.has(pull.name)) {
        this.#set(withUnseen(this.#known, pull, id, clock.wallMs()))
      }
    }
    const nowMs = clock.wallMs()
    this.#known = notAfter(withUsed(this.#known, this.#inUse, nowMs), nowMs)
    const sinceMs = clock.monotonicMs() - this.#writtenAtMs
    const known = this.#known
    if (known === this.#written || (!this.#hasNews && sinceMs < writeUseEveryMs)) return
    this.#hasNews = false
    try {
      await writePulledImages(disk, known)
      this.#written = known
    } catch (error) {
      // A full disk above all: what is known in memory makes room on it.
      this.#hasNews = true
      log.warn('which images units had pulled was not written', { cause: describeError(error) })
    }
    this.#writtenAtMs = clock.monotonicMs()
  }

  #set(known: PulledImages): void {
    if (known === this.#known) return
    this.#known = known
    this.#hasNews = true
  }

  #begin(name: string, idBefore: string | undefined): void {
    const begunMs = this.#options.clock.wallMs()
    const before = idBefore === undefined ? {} : { idBefore }
    this.#set(withBegun(this.#known, { name, ...before, begunMs }))
  }

  /** Where the engine does not say what came, a later look asks once more. */
  async #ended(name: string): Promise<void> {
    const others = (this.#pulling.get(name) ?? 1) - 1
    if (others === 0) this.#pulling.delete(name)
    else this.#pulling.set(name, others)
    try {
      const id = await this.#options.containers.imageDigest(name)
      this.#set(withEnded(this.#known, name, id, this.#options.clock.wallMs()))
      // The others may bring another one.
      if (this.#pulling.has(name)) this.#begin(name, id)
    } catch (error) {
      const cause = describeError(error)
      this.#options.log.debug('what a pull brought is not known yet', { image: name, cause })
    }
  }

  #load(): Promise<void> {
    const { disk, log } = this.#options
    this.#loading ??= readPulledImages(disk, log).then((read) => {
      this.#known = read
      this.#written = read
    })
    return this.#loading
  }
}
