/**
 * A directory of the machine behind `ports/Disk`. Calls go to libuv's thread pool: a busy disk
 * blocks a synchronous fdatasync for hundreds of milliseconds, and the heartbeats with it. Small
 * writes to a disk that is not busy are the exception (`WritePace`).
 */
import { constants, fdatasync, writeSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { assert } from '../base/assert.ts'
import { DiskError } from '../ports/disk.ts'
import type { Disk, DiskFile } from '../ports/disk.ts'
import { WritePace } from './write-pace.ts'

/** Zeros are written in pieces of this size, so that reserving a segment needs little memory. */
const zeroChunkBytes = 1024 * 1024

/** Readable by root alone: the directory holds keys and the cluster's state. */
const fileMode = 0o600
const directoryMode = 0o700

/** The disk rooted at `root`, an absolute path. `makeDirectory('')` creates the root itself. */
export function directoryDisk(root: string): Disk {
  assert(path.isAbsolute(root), 'the root of a disk is an absolute path')
  const resolve = (relative: string): string => {
    assert(staysInside(relative), 'a path on a disk is relative and stays in its directory')
    return path.join(root, relative)
  }
  return {
    open: async (name, options) => {
      const flags = options.create
        ? constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
        : constants.O_RDWR
      const handle = await attempt('open', name, () => open(resolve(name), flags, fileMode))
      return new DirectoryFile(name, handle)
    },
    readFile: async (name) => attempt('read', name, async () => await readFile(resolve(name))),
    list: (name) =>
      attempt('list', name, async () => {
        const names = await absentAs([], () => readdir(resolve(name)))
        return names.toSorted()
      }),
    exists: (name) =>
      attempt('look at', name, () =>
        absentAs(false, async () => {
          await stat(resolve(name))
          return true
        }),
      ),
    makeDirectory: (name) =>
      attempt('make directory', name, async () => {
        await mkdir(resolve(name), { recursive: true, mode: directoryMode })
      }),
    rename: (from, to) => attempt('rename', from, () => rename(resolve(from), resolve(to))),
    remove: (name) =>
      attempt('remove', name, () => rm(resolve(name), { recursive: true, force: true })),
    syncDirectory: (name) => attempt('sync directory', name, () => syncDirectory(resolve(name))),
  }
}

/** A file anywhere, only to be read; what writes to it is refused. Rejects with a `DiskError`. */
export async function openForReading(file: string): Promise<DiskFile> {
  const handle = await attempt('open', file, () => open(file, constants.O_RDONLY))
  return new DirectoryFile(file, handle)
}

class DirectoryFile implements DiskFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #pace = new WritePace()

  constructor(name: string, handle: FileHandle) {
    this.path = name
    this.#handle = handle
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return attempt('read', this.path, async () => {
      const bytes = new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await this.#handle.read(
          bytes,
          filled,
          length - filled,
          offset + filled,
        )
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    })
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return attempt('write', this.path, async () => {
      const fromMs = performance.now()
      if (!this.#pace.mayWriteAtOnce(bytes.length, fromMs)) {
        await this.#writeAll(offset, bytes)
        return
      }
      this.#writeAtOnce(offset, bytes)
      const nowMs = performance.now()
      this.#pace.wroteAtOnce(nowMs - fromMs, nowMs)
    })
  }

  /**
   * Node has no fallocate. Zeros written once cost the same, and the blocks are then really
   * there, so that a later fdatasync has no metadata to flush.
   */
  allocate(length: number): Promise<void> {
    return attempt('allocate', this.path, async () => {
      let at = (await this.#handle.stat()).size
      const zeros = new Uint8Array(Math.max(0, Math.min(zeroChunkBytes, length - at)))
      while (at < length) {
        const piece = zeros.subarray(0, Math.min(zeros.length, length - at))
        await this.#writeAll(at, piece)
        at += piece.length
      }
    })
  }

  truncate(length: number): Promise<void> {
    return attempt('truncate', this.path, () => this.#handle.truncate(length))
  }

  size(): Promise<number> {
    return attempt('look at', this.path, async () => (await this.#handle.stat()).size)
  }

  sync(): Promise<void> {
    return attempt('sync', this.path, async () => {
      const fromMs = performance.now()
      this.#pace.syncBegins()
      await dataSync(this.#handle.fd)
      this.#pace.synced(performance.now() - fromMs)
    })
  }

  close(): Promise<void> {
    return attempt('close', this.path, () => this.#handle.close())
  }

  #writeAtOnce(offset: number, bytes: Uint8Array): void {
    const { fd } = this.#handle
    let done = 0
    while (done < bytes.length) {
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done)
    }
  }

  /** write(2) may take less than it was given, for example just before the disk is full. */
  async #writeAll(offset: number, bytes: Uint8Array): Promise<void> {
    let done = 0
    while (done < bytes.length) {
      const left = bytes.length - done
      const { bytesWritten } = await this.#handle.write(bytes, done, left, offset + done)
      done += bytesWritten
    }
  }
}

const dataSync = promisify(fdatasync)

async function syncDirectory(absolute: string): Promise<void> {
  const handle = await open(absolute, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function staysInside(relative: string): boolean {
  return !relative.startsWith('/') && !relative.split('/').includes('..')
}

/** Runs `work`; what the system refuses becomes a `DiskError` with the system's own name for it. */
async function attempt<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isSystemError(error)) throw error
    // A directory has to be opened to be synced: what fails there has lost nothing.
    const isOfSync = what.startsWith('sync') && error.syscall !== 'open'
    throw new DiskError(error.code, `cannot ${what} ${name === '' ? '.' : name}`, error, isOfSync)
  }
}

async function absentAs<T>(value: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return value
    throw error
  }
}

/** What Node finds wrong with a call itself has a code too, and the disk has no part in it. */
function isSystemError(error: unknown): error is Error & { code: string; syscall?: unknown } {
  if (!(error instanceof Error) || !('code' in error)) return false
  return typeof error.code === 'string' && !error.code.startsWith('ERR_')
}
