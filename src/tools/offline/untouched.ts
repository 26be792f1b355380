/**
 * A disk as it is, and every change to it in memory alone: what opening a log would do to it can
 * be looked at before anything is done.
 */
import { DiskError } from '../../ports/disk.ts'
import type { Disk, DiskFile } from '../../ports/disk.ts'

export function untouched(disk: Disk): Disk {
  /** What was written since; undefined when it was removed. */
  const changed = new Map<string, { bytes: Uint8Array } | undefined>()
  const bytesOf = async (path: string): Promise<{ bytes: Uint8Array }> => {
    const known = changed.get(path)
    if (known !== undefined) return known
    if (changed.has(path)) throw new DiskError('ENOENT', `${path} was removed`)
    return { bytes: await disk.readFile(path) }
  }
  return {
    open: async (path, { create }) => {
      if (create) {
        const made = { bytes: new Uint8Array(0) }
        changed.set(path, made)
        return memoryFile(path, made, () => undefined)
      }
      const file = await bytesOf(path)
      return memoryFile(path, file, () => changed.set(path, file))
    },
    readFile: async (path) => (await bytesOf(path)).bytes,
    list: async (path) => {
      const below = (name: string): boolean =>
        name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/')
      const made = [...changed.keys()].filter(below).map((name) => name.slice(path.length + 1))
      const names = new Set([...(await disk.list(path)), ...made])
      return [...names]
        .filter((name) => !changed.has(`${path}/${name}`) || changed.get(`${path}/${name}`))
        .toSorted()
    },
    exists: async (path) =>
      changed.has(path) ? changed.get(path) !== undefined : await disk.exists(path),
    makeDirectory: async () => undefined,
    rename: async (from, to) => {
      changed.set(to, await bytesOf(from))
      changed.set(from, undefined)
    },
    remove: async (path) => void changed.set(path, undefined),
    syncDirectory: async () => undefined,
  }
}

function memoryFile(path: string, file: { bytes: Uint8Array }, onWrite: () => void): DiskFile {
  const grow = (length: number): void => {
    if (length <= file.bytes.length) return
    const grown = new Uint8Array(length)
    grown.set(file.bytes)
    file.bytes = grown
  }
  return {
    path,
    read: async (offset, length) => file.bytes.subarray(offset, offset + length),
    write: async (offset, bytes) => {
      onWrite()
      // What was read before may be a view of it, and must not change.
      file.bytes = file.bytes.slice()
      grow(offset + bytes.length)
      file.bytes.set(bytes, offset)
    },
    allocate: async (length) => {
      onWrite()
      grow(length)
    },
    truncate: async (length) => {
      onWrite()
      file.bytes = file.bytes.slice(0, length)
    },
    size: async () => file.bytes.length,
    sync: async () => undefined,
    close: async () => undefined,
  }
}
