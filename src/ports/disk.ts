/**
 * One directory of files. Paths are relative, with `/`, and never leave the directory.
 *
 * A write is durable once `sync` of its file has resolved; a created, renamed or removed name is
 * durable once `syncDirectory` of its directory has. Nothing else is promised: after a crash an
 * unsynced write may be there, partly there, or not there.
 *
 * Every failure rejects with a `DiskError`. A caller that wrote never retries a failed write or
 * sync: the kernel may have dropped the pages (PostgreSQL's fsync post-mortem of 2018).
 */
export interface Disk {
  /** Opens for reading and writing; with `create`, the file must not exist yet. */
  open(path: string, options: { create: boolean }): Promise<DiskFile>
  readFile(path: string): Promise<Uint8Array>
  /** Names in `path`, sorted; an absent directory is empty. */
  list(path: string): Promise<readonly string[]>
  exists(path: string): Promise<boolean>
  makeDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a directory with all it holds; absent is fine. */
  remove(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
}

export interface DiskFile {
  readonly path: string
  /** Bytes from `offset`, fewer than `length` at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Reserves the file up to `length`; the reserved bytes read as zero. */
  allocate(length: number): Promise<void>
  truncate(length: number): Promise<void>
  size(): Promise<number>
  /** fdatasync. */
  sync(): Promise<void>
  close(): Promise<void>
}

export class DiskError extends Error {
  override readonly name = 'DiskError'
  /** The system's name: `ENOSPC`, `EIO`, `ENOENT`, `EROFS`, … */
  readonly reason: string
  /** It came from a sync: what was written before it may be lost though reads still show it. */
  readonly isOfSync: boolean

  constructor(reason: string, message: string, cause?: unknown, isOfSync = false) {
    super(message, { cause })
    this.reason = reason
    this.isOfSync = isOfSync
  }
}

/** Writes `path` whole or not at all: a temporary file, sync, rename, sync of the directory. */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  await disk.remove(temporary)
  const file = await disk.open(temporary, { create: true })
  await file.write(0, bytes)
  await file.sync()
  await file.close()
  await disk.rename(temporary, path)
  const slash = path.lastIndexOf('/')
  await disk.syncDirectory(slash < 0 ? '' : path.slice(0, slash))
}
