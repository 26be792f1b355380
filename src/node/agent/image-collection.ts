/**
 * Keeps the engine's disk between the floor and the ceiling that people set: remembers which images this
 * machine's units had pulled, and removes the longest unused of them. `core/collection` decides.
 */
import { describeError, isJangadaError } from '../../base/errors.ts'
import { Once } from '../../base/once.ts'
import {
  collect,
  type CollectionDecision,
  type PresentImage,
  unusedMsMin,
  usedPercent,
  wantsRoom,
} from '../../core/collection/collect.ts'
import { clusterSettings } from '../../core/records/keyspace.ts'
import type { EventRecord } from '../../core/records/schemas.ts'
import { ceilingPercentMin, collectionBounds } from '../../core/records/settings.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { ContainerFacts, Containers } from '../../ports/containers.ts'
import type { Disk } from '../../ports/disk.ts'
import type { DiskSpace } from '../../ports/images.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { StoreAccess } from '../member/store-access.ts'
import { neededImages, type Placed, placedKey } from './needed-images.ts'
import { PulledImagesMemory } from './pulled-images-memory.ts'
import type { ContainerContext } from './unit-container.ts'

/** A look costs a question to the kernel, and what fills a disk in less time than this is a pull. */
const lookEveryMs = 60_000
/** Until the engine is asked once more to remove what it refused to. */
const refusedMs = 600_000
/** Some engines give the room of an image back a moment after they have said that it is gone. */
const settleMs = 2000
/** Of decisions in one look: the next one goes on. */
const stepsMax = 16

type Bounds = NonNullable<ReturnType<typeof collectionBounds>>

export interface ImageCollectionOptions {
  readonly machineId: ContainerContext['machineId']
  /** Of the machine, for people. */
  readonly name: string
  readonly host: ContainerContext['host']
  readonly containers: Containers
  readonly disk: Disk
  readonly store: Pick<StoreAccess, 'range'>
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly placed: Placed
  /** Nothing begins once it aborts. */
  readonly signal: AbortSignal
  readonly onEvent: (
    event: Pick<EventRecord, 'kind' | 'severity' | 'message'> & Partial<EventRecord>,
  ) => void
}

/** From the ceiling to the floor, or to the last image that may go. */
interface Collection {
  readonly percentBefore: number
  images: number
  freedBytes: number
}

export class ImageCollection {
  readonly #options: ImageCollectionOptions
  readonly #memory: PulledImagesMemory
  readonly #look = new Once(() => this.#lookSafely())
  /** Until when each stays. */
  readonly #refused = new Map<string, number>()
  /** On the monotonic clock. An agent that has just started has more urgent things to do. */
  #nextLookMs: number
  /** As last read; a machine that has never heard of them removes nothing. */
  #bounds: Bounds | undefined
  #current: Collection | undefined
  /** That the floor is out of reach was told, and the disk has not been there since. */
  /** Since when every look has found too little room and nothing to remove; monotonic. */
  #noRoomSinceMs: number | undefined
  #toldOfNoRoom = false

  constructor(options: ImageCollectionOptions) {
    this.#options = options
    this.#nextLookMs = options.clock.monotonicMs() + lookEveryMs
    this.#memory = new PulledImagesMemory({ ...options, onBegun: () => this.#look.ask() })
  }

  /** Units' containers, as they are now: told of when they change, and every few seconds. */
  observe(containers: readonly ContainerFacts[]): void {
    this.#memory.observe(new Set(containers.map(({ imageDigest }) => imageDigest)))
    if (this.#options.clock.monotonicMs() >= this.#nextLookMs) this.#look.ask()
  }

  /** As `Containers.pull`, and what it brings is remembered. */
  readonly pull: Containers['pull'] = async (...all) => {
    try {
      await this.#memory.pull(...all)
    } finally {
      this.#look.ask()
    }
  }

  async #lookSafely(): Promise<void> {
    if (this.#options.signal.aborted) return
    this.#nextLookMs = this.#options.clock.monotonicMs() + lookEveryMs
    try {
      await this.#memory.keep()
      await this.#lookAtDisk()
    } catch (error) {
      // Whoever needs the engine, or the store, tells of it when they are gone.
      this.#options.log.debug('the images were not looked at', { cause: describeError(error) })
    }
  }

  async #lookAtDisk(): Promise<void> {
    const disk = await this.#diskSpace()
    if (usedPercent(disk) <= ceilingPercentMin && this.#current === undefined) return
    const bounds = await this.#readBounds()
    if (bounds === undefined) this.#current = undefined
    else await this.#collect(disk, bounds)
    await this.#memory.keep()
  }

  async #diskSpace(): Promise<DiskSpace> {
    const { containers, metrics } = this.#options
    const disk = await containers.diskSpace()
    metrics.gauge('jangada_engine_disk_bytes', disk.totalBytes, { kind: 'total' })
    metrics.gauge('jangada_engine_disk_bytes', disk.freeBytes, { kind: 'free' })
    return disk
  }

  /** Undefined when nothing is to be collected. Without a store the last ones hold. */
  async #readBounds(): Promise<Bounds | undefined> {
    const { store, log } = this.#options
    try {
      const { items } = await store.range({ key: clusterSettings.key('cluster') }, 'local')
      const settings = items[0] && clusterSettings.read(items[0])?.value
      if (settings !== undefined) this.#bounds = collectionBounds(settings)
    } catch (error) {
      log.debug('the settings were not read', { cause: describeError(error) })
    }
    return this.#bounds
  }

  async #collect(first: DiskSpace, bounds: Bounds): Promise<void> {
    let disk = first
    for (let step = 0; step < stepsMax && !this.#options.signal.aborted; step += 1) {
      if (!wantsRoom({ disk, bounds, isCollecting: this.#current !== undefined })) {
        if (usedPercent(disk) <= bounds.floorPercent) this.#toldOfNoRoom = false
        this.#noRoomSinceMs = undefined
        return this.#finish(disk)
      }
      const key = placedKey(this.#options.placed)
      const decision = await this.#decide(disk, bounds)
      if (decision?.kind === 'nothing-to-remove') {
        this.#finish(disk)
        return this.#noteNoRoom(disk, bounds)
      }
      this.#noRoomSinceMs = undefined
      if (decision?.kind !== 'remove') return
      this.#current ??= { percentBefore: usedPercent(disk), images: 0, freedBytes: 0 }
      for (const image of decision.images) {
        // Whoever was placed here meanwhile may want it.
        if (this.#options.signal.aborted || key !== placedKey(this.#options.placed)) break
        disk = await this.#remove(image, disk, this.#current)
        if (!wantsRoom({ disk, bounds, isCollecting: true })) break
      }
      await sleep(this.#options.clock, settleMs, this.#options.signal)
      disk = await this.#diskSpace()
    }
  }

  /** Undefined while it is not known what units need. */
  async #decide(disk: DiskSpace, bounds: Bounds): Promise<CollectionDecision | undefined> {
    const { containers, placed, clock } = this.#options
    const references = await neededImages(this.#options, placed)
    if (references === undefined) return undefined
    const needed = new Set<string>()
    for (const reference of references) {
      const id = await containers.imageDigest(reference)
      if (id !== undefined) needed.add(id)
    }
    const present = await this.#memory.present()
    const nowMs = clock.monotonicMs()
    for (const [id, untilMs] of this.#refused) if (nowMs >= untilMs) this.#refused.delete(id)
    return collect({
      nowMs: clock.wallMs(),
      ...{ disk, bounds, present, needed },
      isCollecting: this.#current !== undefined,
      pulled: this.#memory.images,
      refused: new Set(this.#refused.keys()),
    })
  }

  /** The disk after it. Rejects with JGD_ENGINE_DOWN. */
  async #remove(image: PresentImage, before: DiskSpace, current: Collection): Promise<DiskSpace> {
    const { containers, clock, log, metrics } = this.#options
    try {
      await containers.removeImage(image.id, image.names)
    } catch (error) {
      if (isJangadaError(error, 'JGD_ENGINE_DOWN')) throw error
      this.#refused.set(image.id, clock.monotonicMs() + refusedMs)
      log.info('an image was not removed', { image: image.id, cause: describeError(error) })
      return before
    }
    const after = await this.#diskSpace()
    const freedBytes = Math.max(0, after.freeBytes - before.freeBytes)
    current.images += 1
    current.freedBytes += freedBytes
    metrics.count('jangada_images_removed_total')
    metrics.count('jangada_image_bytes_freed_total', {}, freedBytes)
    log.info('an image that no unit needs was removed', {
      image: image.names[0] ?? image.id,
      freedBytes,
    })
    return after
  }

  /** Tells of what was removed since the ceiling. */
  #finish(disk: DiskSpace): void {
    const { machineId, name, onEvent } = this.#options
    const current = this.#current
    this.#current = undefined
    if (current === undefined || current.images === 0) return
    const { images, freedBytes, percentBefore } = current
    const mebibytes = Math.round(freedBytes / 2 ** 20)
    const what =
      images === 1 ? 'an image that no unit needs was' : `${images} images that no unit needs were`
    onEvent({
      kind: 'images.collected',
      severity: 'info',
      message: `${name}: ${what} removed, ${mebibytes} MiB freed; ${percent(usedPercent(disk))} of its disk is in use, ${percent(percentBefore)} before`,
      machine: machineId,
    })
  }

  /** While a unit is replaced, both its images are needed for a moment: that is no news. */
  #noteNoRoom(disk: DiskSpace, { floorPercent }: Bounds): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#noRoomSinceMs ??= nowMs
    const lasts = this.#refused.size > 0 || nowMs - this.#noRoomSinceMs >= unusedMsMin
    if (this.#toldOfNoRoom || !lasts) return
    this.#toldOfNoRoom = true
    const { machineId, name, onEvent, log } = this.#options
    const message =
      `${name}: ${percent(usedPercent(disk))} of the disk at ${disk.path} is in use, the floor is ` +
      `${percent(floorPercent)}, and no image is left that may be removed: make room (docker system df ` +
      'has what takes it), or give the machine a larger disk'
    const event = { kind: 'images.no-room', severity: 'warning', code: 'JGD_ENGINE_DISK' } as const
    log.warn(message, { code: event.code })
    onEvent({ ...event, message, machine: machineId })
  }
}

const percent = (value: number): string => `${Math.round(value)} %`
