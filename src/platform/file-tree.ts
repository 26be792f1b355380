/** Directory trees of the machine itself, made and changed by the tools that build images. */
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { assert } from '../base/assert.ts'

/** One thing to put into a tree. Directories above it are made as needed, mode 0755. */
export type TreeEntry =
  | {
      readonly kind: 'file'
      readonly path: string
      readonly content: string
      readonly mode: number
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }

/** Puts `entries` into the tree at `root`, in order; what is at their paths is replaced. */
export async function writeTree(root: string, entries: readonly TreeEntry[]): Promise<void> {
  for (const entry of entries) {
    const target = inside(root, entry.path)
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 })
    if (entry.kind === 'directory') {
      await mkdir(target, { recursive: true })
      await chmod(target, entry.mode)
      continue
    }
    // Removed first: writing through a link would change what it points to, perhaps outside.
    await rm(target, { recursive: true, force: true })
    if (entry.kind === 'link') await symlink(entry.target, target)
    else {
      await writeFile(target, entry.content)
      await chmod(target, entry.mode)
    }
  }
}

/** Removes `paths` with all they hold; absent ones are fine. */
export async function removePaths(root: string, paths: readonly string[]): Promise<void> {
  for (const name of paths) await rm(inside(root, name), { recursive: true, force: true })
}

/** Paths of all files below `root` whose name ends with `suffix`, relative to it, sorted. */
export async function filesBelow(root: string, suffix: string): Promise<readonly string[]> {
  const all = await readdir(root, { recursive: true, withFileTypes: true })
  return all
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .toSorted()
}

/** Names in `directory`, sorted; none when it is absent. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).toSorted()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export const readText = (file: string): Promise<string> => readFile(file, 'utf8')

export const writeText = (file: string, text: string): Promise<void> => writeFile(file, text)

/** The text, or undefined when there is no such file. */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    return await readText(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export const isThere = async (name: string): Promise<boolean> =>
  (await lstat(name).catch(() => undefined)) !== undefined

/** `mode` is that of directories it makes; those that are there stay as they are. */
export async function makeDirectories(directory: string, mode = 0o755): Promise<void> {
  await mkdir(directory, { recursive: true, mode })
}

/** A new, empty directory whose name starts with `prefix`, readable by all. */
export async function makeTemporary(prefix: string): Promise<string> {
  const directory = await mkdtemp(prefix)
  await chmod(directory, 0o755)
  return directory
}

export const removeTree = (directory: string): Promise<void> =>
  rm(directory, { recursive: true, force: true })

export const moveTree = (from: string, to: string): Promise<void> => rename(from, to)

/** Copies one file, by reference where the file system can; the directory must be there. */
export const copyOneFile = (from: string, to: string): Promise<void> => copyFile(from, to)

/** Marks `file` as used at `wallMs`, for caches that drop what was used least recently. */
export const touch = (file: string, wallMs: number): Promise<void> =>
  utimes(file, wallMs / 1000, wallMs / 1000)

/** When `file` was last touched, in milliseconds since 1970. */
export const touchedMs = async (file: string): Promise<number> => (await lstat(file)).mtimeMs

/** A file's bytes as they are read, with how many there will be. Rejects when it is not there. */
export async function openFile(
  file: string,
): Promise<{ readonly bytes: number; readonly chunks: AsyncIterable<Uint8Array> }> {
  const { size } = await stat(file)
  return { bytes: size, chunks: createReadStream(file) }
}

function inside(root: string, relative: string): string {
  assert(
    !relative.startsWith('/') && !relative.split('/').includes('..') && relative !== '',
    'a path in a tree is relative and stays in it',
  )
  return path.join(root, relative)
}
