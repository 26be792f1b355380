/**
 * The snapshots of a log directory. A file carries its own name only once it is whole and
 * durable: until then it ends in `.part` or `.staged`. The last two are kept, so that a damaged one
 * costs nothing as long as the log reaches back to the other.
 */
import { assert } from '../../base/assert.ts'
import { isJangadaError } from '../../base/errors.ts'
import type { Index } from '../../base/ids.ts'
import type { SnapshotRef } from '../../core/raft/types.ts'
import type { Disk } from '../../ports/disk.ts'
import { damaged, diskFailed, isOfDisk } from './errors.ts'
import type { WalIdentity } from './identity.ts'
import type { WalPaths } from './paths.ts'
import { readPieces, readSnapshotHeader, SnapshotFileWriter } from './snapshot-file.ts'

export const snapshotsKept = 2

const suffix = '.snapshot'
/** Being written. */
const partSuffix = '.part'
/** Whole and durable, and waiting for consensus to take it. */
const stagedSuffix = '.staged'
const digits = 16

export interface SnapshotReading {
  readonly snapshot: SnapshotRef
  /** May be read once. Throws JGD_WAL_DAMAGED or `diskFailed`'s. Closes the file at its end. */
  readonly pieces: AsyncGenerator<Uint8Array, void, undefined>
}

/**
 * A snapshot that comes in from another member. `abandon` may follow `end`, and leaves alone what
 * has taken effect.
 */
export interface SnapshotStage {
  write(bytes: Uint8Array): Promise<void>
  /** Whole and durable from here on; it takes effect with an append that names it. */
  end(): Promise<void>
  abandon(): Promise<void>
}

export class Snapshots {
  readonly #disk: Disk
  readonly #paths: WalPaths
  readonly #identity: WalIdentity
  /** Ascending by index; all durable under their own names. */
  #kept: SnapshotRef[] = []
  /**
   * What waits to take effect, by the path that it will have. Each is written under a name that no
   * other has: what a member writes itself and what it is sent may be of one entry.
   */
  readonly #staged = new Map<string, string>()
  #stages = 0
  /** How many readings of each file are under way: a file being read is not removed. */
  readonly #readers = new Map<string, number>()

  constructor(disk: Disk, paths: WalPaths, identity: WalIdentity) {
    this.#disk = disk
    this.#paths = paths
    this.#identity = identity
  }

  get newest(): SnapshotRef | undefined {
    return this.#kept.at(-1)
  }

  /** The log must reach back to here: 0 as long as there is only one snapshot. */
  get oldestKeptIndex(): number {
    return this.#kept.length < snapshotsKept ? 0 : this.#kept.at(-snapshotsKept)!.index
  }

  /**
   * Checks what is there, byte by byte, and clears away what a crash left half-written. Damaged
   * ones are passed over and named: the log decides whether it can do without them. Throws
   * JGD_WAL_FOREIGN or JGD_WAL_VERSION.
   */
  async load(): Promise<readonly string[]> {
    const damagedFiles: string[] = []
    const found: SnapshotRef[] = []
    for (const name of await this.#disk.list(this.#paths.snapshots)) {
      const path = `${this.#paths.snapshots}/${name}`
      if (!name.endsWith(suffix)) {
        await this.#disk.remove(path)
        continue
      }
      const snapshot = await this.#verify(path)
      if (snapshot !== undefined) found.push(snapshot)
      else damagedFiles.push(path)
    }
    this.#kept = found.toSorted((a, b) => a.index - b.index || a.term - b.term)
    return damagedFiles
  }

  async #verify(path: string): Promise<SnapshotRef | undefined> {
    const file = await this.#disk.open(path, { create: false })
    try {
      const { snapshot, end } = await readSnapshotHeader(file, this.#identity.clusterId)
      if (this.#path(snapshot, suffix) !== path) throw damaged(path, 0, 'its name is another one')
      for await (const _ of readPieces(file, end));
      return snapshot
    } catch (error) {
      if (!isJangadaError(error, 'JGD_WAL_DAMAGED')) throw error
      return undefined
    } finally {
      await file.close()
    }
  }

  /** Begins a file that becomes `snapshot`. Only `DiskError`s are thrown, here and in it. */
  async stage(snapshot: SnapshotRef): Promise<SnapshotStage> {
    const path = this.#path(snapshot, suffix)
    this.#stages += 1
    const part = this.#path(snapshot, `.${this.#stages}${partSuffix}`)
    const staged = this.#path(snapshot, `.${this.#stages}${stagedSuffix}`)
    const file = await this.#disk.open(part, { create: true })
    const writer = new SnapshotFileWriter(file)
    let isOpen = true
    const close = async (): Promise<void> => {
      if (isOpen) await file.close()
      isOpen = false
    }
    const abandon = async (): Promise<void> => {
      await close()
      await this.#disk.remove(part)
      if (this.#staged.get(path) !== staged) return
      this.#staged.delete(path)
      await this.#disk.remove(staged)
    }
    try {
      await writer.begin(this.#identity, snapshot)
    } catch (error) {
      await abandon().catch(() => undefined)
      throw error
    }
    return {
      write: (bytes) => writer.write(bytes),
      end: async () => {
        await writer.end()
        await close()
        await this.#disk.rename(part, staged)
        const before = this.#staged.get(path)
        this.#staged.set(path, staged)
        if (before !== undefined) await this.#disk.remove(before)
      },
      abandon,
    }
  }

  /** Gives a staged snapshot its own name, durably. One that has it already keeps it. */
  async promote(snapshot: SnapshotRef): Promise<void> {
    const path = this.#path(snapshot, suffix)
    const staged = this.#staged.get(path)
    this.#staged.delete(path)
    if (this.#kept.some((one) => this.#path(one, suffix) === path)) {
      if (staged !== undefined) await this.#disk.remove(staged)
      return
    }
    assert(staged !== undefined, 'what becomes a snapshot was staged')
    await this.#disk.rename(staged, path)
    await this.#disk.syncDirectory(this.#paths.snapshots)
    this.#kept = [...this.#kept, snapshot].toSorted((a, b) => a.index - b.index || a.term - b.term)
  }

  /** Undefined when there is no snapshot at `index`. */
  async read(index: Index): Promise<SnapshotReading | undefined> {
    const snapshot = this.#kept.findLast((one) => one.index === index)
    if (snapshot === undefined) return undefined
    const path = this.#path(snapshot, suffix)
    this.#readers.set(path, (this.#readers.get(path) ?? 0) + 1)
    return { snapshot, pieces: this.#pieces(path) }
  }

  async *#pieces(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      const file = await this.#disk.open(path, { create: false })
      try {
        const { end } = await readSnapshotHeader(file, this.#identity.clusterId)
        yield* readPieces(file, end)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw isOfDisk(error) ? diskFailed('reading a snapshot', error) : error
    } finally {
      const readers = (this.#readers.get(path) ?? 1) - 1
      if (readers === 0) this.#readers.delete(path)
      else this.#readers.set(path, readers)
    }
  }

  /** Removes all but the last two, and those that are being read. */
  async removeOld(): Promise<void> {
    for (const old of this.#kept.slice(0, -snapshotsKept)) {
      const path = this.#path(old, suffix)
      if (this.#readers.has(path)) continue
      this.#kept = this.#kept.filter((one) => one !== old)
      await this.#disk.remove(path)
    }
  }

  #path(snapshot: SnapshotRef, end: string): string {
    assert(snapshot.index > 0, 'a snapshot covers something')
    const padded = (value: number): string => String(value).padStart(digits, '0')
    return `${this.#paths.snapshots}/${padded(snapshot.index)}-${padded(snapshot.term)}${end}`
  }
}
