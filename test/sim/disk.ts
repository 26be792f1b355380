/**
 * A disk that keeps `ports/Disk`'s promises and not one more. What was synced stays; whatever was
 * not is kept, lost or torn by the seed when the power goes. The medium outlives its processes:
 * each process mounts it, and a dead one's calls never return.
 */
import { assert } from '../../src/base/assert.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import { DiskError } from '../../src/ports/disk.ts'
import type { Disk, DiskFile } from '../../src/ports/disk.ts'
import { FileNode } from './disk-file-node.ts'
import { DirectoryNode, NameJournal } from './disk-names.ts'

export interface SimulatedDiskOptions {
  /** Calls `fire` after `delayMs` of simulated time; without it, calls return in a microtask. */
  readonly after?: (delayMs: number, fire: () => void) => unknown
  /** Bytes of files that fit. */
  readonly capacityBytes?: number
}

/** Chances a call, and times; the world changes them as its history goes on. */
export interface DiskFaults {
  failedSync: number
  failedWrite: number
  failedRead: number
  /** A sync that takes up to `stallMsMax` instead of its usual time. */
  stalledSync: number
}

/** How often each kind of fault has happened. A simulation in which one never did proves less. */
export interface DiskFaultCounts {
  powerLosses: number
  keptWrites: number
  lostWrites: number
  tornWrites: number
  keptNames: number
  lostNames: number
  failedSyncs: number
  failedWrites: number
  failedReads: number
  stalledSyncs: number
  fullDisk: number
  corruptions: number
}

const callMsMax = 0.2
const syncMsMax = 2
const stallMsMax = 800

export class SimulatedDisk {
  readonly faults: DiskFaults = { failedSync: 0, failedWrite: 0, failedRead: 0, stalledSync: 0 }
  readonly counts: DiskFaultCounts = {
    powerLosses: 0,
    keptWrites: 0,
    lostWrites: 0,
    tornWrites: 0,
    keptNames: 0,
    lostNames: 0,
    failedSyncs: 0,
    failedWrites: 0,
    failedReads: 0,
    stalledSyncs: 0,
    fullDisk: 0,
    corruptions: 0,
  }
  capacityBytes: number
  readonly #random: SeededRandom
  readonly #after: SimulatedDiskOptions['after']
  #root = new DirectoryNode()
  #journal = new NameJournal()
  #mounted: Mount | undefined

  constructor(random: SeededRandom, options: SimulatedDiskOptions = {}) {
    this.#random = random
    this.#after = options.after
    this.capacityBytes = options.capacityBytes ?? Infinity
  }

  /** The disk as a new process sees it. The process before it is dead from here on. */
  mount(): Disk {
    this.killProcess()
    this.#mounted = new Mount(this)
    return this.#mounted
  }

  /** The process dies and the machine lives on: the kernel still has every write it took. */
  killProcess(): void {
    if (this.#mounted !== undefined) this.#mounted.alive = false
    this.#mounted = undefined
  }

  /** The machine loses power: each unsynced write and name is kept, lost or torn by the seed. */
  losePower(): void {
    this.killProcess()
    this.counts.powerLosses += 1
    this.#journal.settleBySeed(this.#random, this.counts)
    this.#root.revertToDurable()
    for (const file of this.#root.files()) file.settleBySeed(this.#random, this.counts)
  }

  /** A new, empty disk is put in place of this one. */
  wipe(): void {
    this.killProcess()
    this.#root = new DirectoryNode()
    this.#journal = new NameJournal()
  }

  /** Flips one bit of `path`, synced or not, as a medium that decays does. */
  corrupt(path: string, offset: number): void {
    this.fileAt(path).flipBit(offset, this.#random.integer(0, 7))
    this.counts.corruptions += 1
  }

  /** The medium holds these bytes now, whatever was written there. */
  overwrite(path: string, offset: number, bytes: Uint8Array): void {
    this.fileAt(path).overwrite(offset, bytes)
    this.counts.corruptions += 1
  }

  /** What a process would read. */
  peek(path: string): Uint8Array {
    const file = this.fileAt(path)
    return file.read(0, file.length)
  }

  /** Of a directory; none when there is no such directory. */
  names(path: string): readonly string[] {
    const node = this.#root.find(path)
    return node instanceof DirectoryNode ? [...node.entries.keys()].toSorted() : []
  }

  get usedBytes(): number {
    let used = 0
    for (const file of this.#root.files()) used += file.length
    return used
  }

  /** What follows is for `Mount` and `OpenFile`. */

  get root(): DirectoryNode {
    return this.#root
  }

  get journal(): NameJournal {
    return this.#journal
  }

  fileAt(path: string): FileNode {
    const node = this.#root.find(path)
    if (node === undefined) throw new DiskError('ENOENT', `${path}: no such file`)
    if (node instanceof DirectoryNode) throw new DiskError('EISDIR', `${path} is a directory`)
    return node
  }

  /** Extends within the capacity: returns to which length, at most `length`, `file` may grow. */
  room(file: FileNode, length: number): number {
    if (this.capacityBytes === Infinity) return length
    let used = 0
    for (const other of this.#root.files()) if (other !== file) used += other.length
    const allowed = Math.max(file.length, this.capacityBytes - used)
    if (length > allowed) this.counts.fullDisk += 1
    return Math.min(length, allowed)
  }

  happens(fault: keyof DiskFaults): boolean {
    return this.faults[fault] > 0 && this.#random.chance(this.faults[fault])
  }

  /** Time that a call takes. A dead process never hears that it is over. */
  async pass(mount: Mount, kind: 'call' | 'sync'): Promise<void> {
    if (!mount.alive) return never()
    const after = this.#after
    if (after !== undefined) {
      const delayMs = this.#random.fraction() * this.#longest(kind)
      await new Promise<void>((resolve) => {
        after(delayMs, resolve)
      })
    }
    if (!mount.alive) return never()
  }

  #longest(kind: 'call' | 'sync'): number {
    if (kind === 'call') return callMsMax
    if (!this.happens('stalledSync')) return syncMsMax
    this.counts.stalledSyncs += 1
    return stallMsMax
  }

  /** A failed sync marks pages clean that never reached the medium: a second one finds nothing. */
  failSync(file: FileNode): never {
    this.counts.failedSyncs += 1
    file.settleBySeed(this.#random, this.counts, { keepView: true })
    throw new DiskError('EIO', 'the medium did not take the writes', undefined, true)
  }

  /** How much of a write reaches the kernel before it fails. */
  cut(length: number): number {
    return this.#random.integer(0, length)
  }
}

/** One process's view. `alive` is false once the process is gone. */
class Mount implements Disk {
  alive = true
  readonly #disk: SimulatedDisk

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  async open(path: string, options: { create: boolean }): Promise<DiskFile> {
    await this.#call(path)
    if (options.create) {
      const { directory, name } = this.#disk.root.parentOf(path)
      if (directory.entries.has(name)) throw new DiskError('EEXIST', `${path} is there already`)
      const file = new FileNode()
      this.#disk.journal.record([{ directory, name, node: file }])
      return new OpenFile(this.#disk, this, path, file)
    }
    return new OpenFile(this.#disk, this, path, this.#disk.fileAt(path))
  }

  async readFile(path: string): Promise<Uint8Array> {
    await this.#call(path)
    const file = this.#disk.fileAt(path)
    return new OpenFile(this.#disk, this, path, file).read(0, file.length)
  }

  async list(path: string): Promise<readonly string[]> {
    await this.#call(path)
    const node = this.#disk.root.find(path)
    if (node === undefined) return []
    if (node instanceof FileNode) throw new DiskError('ENOTDIR', `${path} is a file`)
    return [...node.entries.keys()].toSorted()
  }

  async exists(path: string): Promise<boolean> {
    await this.#call(path)
    return this.#disk.root.find(path) !== undefined
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#call(path)
    let directory = this.#disk.root
    for (const name of path.split('/').filter((part) => part !== '')) {
      const found = directory.entries.get(name)
      if (found instanceof FileNode) throw new DiskError('EEXIST', `${path}: a file is in the way`)
      const node = found ?? new DirectoryNode()
      if (found === undefined) this.#disk.journal.record([{ directory, name, node }])
      directory = node
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call(from, to)
    const source = this.#disk.root.parentOf(from)
    const target = this.#disk.root.parentOf(to)
    const node = source.directory.entries.get(source.name)
    if (node === undefined) throw new DiskError('ENOENT', `${from}: no such file`)
    if (source.directory === target.directory && source.name === target.name) return
    const replaced = target.directory.entries.get(target.name)
    if (replaced instanceof DirectoryNode && replaced.entries.size > 0) {
      throw new DiskError('ENOTEMPTY', `${to} is not empty`)
    }
    // One record, because a rename is atomic: after a crash both changes are there, or neither.
    this.#disk.journal.record([
      { ...source, node: undefined },
      { ...target, node },
    ])
  }

  async remove(path: string): Promise<void> {
    await this.#call(path)
    if (this.#disk.root.find(path) === undefined) return
    const { directory, name } = this.#disk.root.parentOf(path)
    const node = directory.entries.get(name)
    if (node instanceof DirectoryNode) this.#empty(node)
    this.#disk.journal.record([{ directory, name, node: undefined }])
  }

  async syncDirectory(path: string): Promise<void> {
    assertInside(path)
    await this.#disk.pass(this, 'sync')
    const node = this.#disk.root.find(path)
    if (node === undefined) throw new DiskError('ENOENT', `${path}: no such directory`)
    if (node instanceof FileNode) throw new DiskError('ENOTDIR', `${path} is a file`)
    if (this.#disk.happens('failedSync')) {
      this.#disk.counts.failedSyncs += 1
      throw new DiskError('EIO', 'the medium did not take the names', undefined, true)
    }
    this.#disk.journal.sync(node)
  }

  #empty(directory: DirectoryNode): void {
    for (const [name, node] of directory.entries) {
      if (node instanceof DirectoryNode) this.#empty(node)
      this.#disk.journal.record([{ directory, name, node: undefined }])
    }
  }

  async #call(...paths: string[]): Promise<void> {
    for (const path of paths) assertInside(path)
    await this.#disk.pass(this, 'call')
  }
}

class OpenFile implements DiskFile {
  readonly path: string
  readonly #disk: SimulatedDisk
  readonly #mount: Mount
  readonly #file: FileNode
  #closed = false

  constructor(disk: SimulatedDisk, mount: Mount, path: string, file: FileNode) {
    this.#disk = disk
    this.#mount = mount
    this.path = path
    this.#file = file
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#call()
    if (this.#disk.happens('failedRead')) {
      this.#disk.counts.failedReads += 1
      throw new DiskError('EIO', `${this.path} cannot be read`)
    }
    return this.#file.read(offset, length)
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    // The kernel takes its copy at the call, but the process may die before all of it is taken.
    const copy = bytes.slice()
    await this.#call()
    if (this.#disk.happens('failedWrite')) {
      this.#disk.counts.failedWrites += 1
      this.#file.write(offset, copy.subarray(0, this.#disk.cut(copy.length)))
      throw new DiskError('EIO', `${this.path} cannot be written`)
    }
    this.#writeWithin(offset, copy)
  }

  async allocate(length: number): Promise<void> {
    await this.#call()
    const size = this.#file.length
    if (length > size) this.#writeWithin(size, new Uint8Array(length - size))
  }

  async truncate(length: number): Promise<void> {
    await this.#call()
    this.#file.truncate(length)
  }

  async size(): Promise<number> {
    await this.#call()
    return this.#file.length
  }

  async sync(): Promise<void> {
    this.#open()
    const mark = this.#file.mark()
    await this.#disk.pass(this.#mount, 'sync')
    if (this.#disk.happens('failedSync')) this.#disk.failSync(this.#file)
    this.#file.sync(mark)
  }

  async close(): Promise<void> {
    await this.#call()
    this.#closed = true
  }

  #writeWithin(offset: number, bytes: Uint8Array): void {
    const end = this.#disk.room(this.#file, offset + bytes.length)
    const fits = Math.max(0, Math.min(bytes.length, end - offset))
    this.#file.write(offset, bytes.subarray(0, fits))
    if (fits < bytes.length) throw new DiskError('ENOSPC', `no space is left for ${this.path}`)
  }

  #open(): void {
    if (this.#closed) throw new DiskError('EBADF', `${this.path} is closed`)
  }

  async #call(): Promise<void> {
    this.#open()
    await this.#disk.pass(this.#mount, 'call')
  }
}

function assertInside(path: string): void {
  const inside = !path.startsWith('/') && !path.split('/').includes('..')
  assert(inside, 'a path on a disk is relative and stays in its directory')
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}
