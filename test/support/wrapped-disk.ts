/** A disk that does what another does, but where a test steps in. */
import type { Disk, DiskFile } from '../../src/ports/disk.ts'

/** `changes` gives what is different of an open file. */
export function wrappedDisk(disk: Disk, changes: (file: DiskFile) => Partial<DiskFile>): Disk {
  const wrap = (file: DiskFile): DiskFile => ({
    path: file.path,
    read: (offset, length) => file.read(offset, length),
    write: (offset, bytes) => file.write(offset, bytes),
    allocate: (length) => file.allocate(length),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    sync: () => file.sync(),
    close: () => file.close(),
    ...changes(file),
  })
  return {
    open: async (path, how) => wrap(await disk.open(path, how)),
    readFile: (path) => disk.readFile(path),
    list: (path) => disk.list(path),
    exists: (path) => disk.exists(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
  }
}
