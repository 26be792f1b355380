/** The images of a simulated engine, the registry that it pulls from, and the disk that they fill. */
import { assert } from '../../src/base/assert.ts'
import { JangadaError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { DiskSpace, ImageFacts } from '../../src/ports/images.ts'

const mebibyte = 2 ** 20
/** Of whatever no story has given a size. */
const usualBytes = 4 * mebibyte
/** Far more than stories use that say nothing of it. */
const diskBytes = 100_000 * mebibyte

interface Image {
  readonly id: string
  readonly names: Set<string>
  readonly sizeBytes: number
}

export class SimulatedImages {
  readonly #random: SeededRandom
  readonly #images = new Map<string, Image>()
  /** What a pull of each name finds; the id is known once somebody has pulled it. */
  readonly #registry = new Map<string, { id: string | undefined; readonly sizeBytes: number }>()
  totalBytes = diskBytes
  /** What is on the disk that is no image. */
  otherBytes = 0
  /** Removals of images that the engine refuses, by its word, whatever they are. */
  refuses = false
  /** How the registry answers pulls; without it within 3 s, and at once with a first word. */
  registryPace: { readonly firstWordMs: number; readonly allMs: number } | undefined

  constructor(random: SeededRandom, registry: readonly string[]) {
    this.#random = random
    for (const name of registry) this.publish(name)
  }

  /** From now on a pull of `name` finds this, and no longer what it found before. */
  publish(name: string, sizeBytes = usualBytes): void {
    this.#registry.set(tagged(name), { id: undefined, sizeBytes })
  }

  /** As `docker load`. */
  add(name: string, sizeBytes = usualBytes, id = this.#newId()): string {
    for (const image of this.#images.values()) image.names.delete(tagged(name))
    const image = this.#images.get(id) ?? { id, names: new Set(), sizeBytes }
    image.names.add(tagged(name))
    this.#images.set(id, image)
    return id
  }

  /** As `docker tag`. */
  tag(id: string, name: string): void {
    assert(this.#images.has(id), 'an image that is here is given a name')
    this.add(name, 0, id)
  }

  /** False when the registry does not have it. */
  pull(name: string): boolean {
    const found = this.#registry.get(tagged(name))
    if (found === undefined) return false
    found.id ??= this.#newId()
    this.add(name, found.sizeBytes, found.id)
    return true
  }

  /** By a name or an id. */
  find(reference: string): string | undefined {
    if (this.#images.has(reference)) return reference
    const name = tagged(reference)
    return [...this.#images.values()].find(({ names }) => names.has(name))?.id
  }

  list(used: ReadonlySet<string>): ImageFacts[] {
    return [...this.#images.values()].map(({ id, names, sizeBytes }) => {
      return { id, names: [...names], sizeBytes, isInUse: used.has(id) }
    })
  }

  remove(id: string, names: readonly string[], used: ReadonlySet<string>): void {
    const image = this.#images.get(id)
    if (image === undefined) return
    const hasOther = [...image.names].some((name) => !names.includes(name))
    if (hasOther || used.has(id) || this.refuses) {
      throw new JangadaError('JGD_CONFLICT', `the image ${id} stays`)
    }
    this.#images.delete(id)
  }

  get disk(): DiskSpace {
    const images = [...this.#images.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const freeBytes = Math.max(0, this.totalBytes - this.otherBytes - images)
    return { path: '/var/lib/docker', totalBytes: this.totalBytes, freeBytes }
  }

  #newId(): string {
    return `sha256:${Buffer.from(this.#random.bytes(32)).toString('hex')}`
  }
}

const tagged = (name: string): string => (/[:@][^/]*$/.test(name) ? name : `${name}:latest`)
