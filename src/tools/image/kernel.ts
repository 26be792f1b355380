/** The kernel's modules: which the root gets, and which the initramfs needs. */
import path from 'node:path'
import { assert, present } from '../../base/assert.ts'
import { runCommand } from '../../platform/commands.ts'
import {
  copyOneFile,
  filesBelow,
  makeDirectories,
  namesIn,
  readText,
} from '../../platform/file-tree.ts'

const depmodMsMax = 5 * 60_000

/** The release of the one kernel unpacked at `tree`, as `uname -r` will tell it. */
export async function kernelRelease(tree: string): Promise<string> {
  const releases = await namesIn(path.join(tree, 'lib/modules'))
  assert(releases.length === 1, 'a kernel package holds the modules of one kernel')
  return present(releases[0], 'the kernel release')
}

/** Writes the indexes by which modules are found below `base`, in `base/lib/modules/RELEASE`. */
export async function indexModules(base: string, release: string): Promise<void> {
  await runCommand('depmod', ['-b', base, release], { timeoutMs: depmodMsMax })
}

/**
 * Copies the modules called `names`, and all that they need, from the tree at `from` (with its
 * indexes written) to the one at `to`, and indexes that. Returns the files copied. A name that
 * this kernel does not have, or has built in, is left out.
 */
export async function copyModules(
  from: string,
  to: string,
  release: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const source = path.join(from, 'lib/modules', release)
  const target = path.join(to, 'lib/modules', release)
  const needs = parseDependencies(await readText(path.join(source, 'modules.dep')))
  const chosen = closure(needs, names)
  for (const file of chosen) {
    await makeDirectories(path.join(target, path.dirname(file)))
    await copyOneFile(path.join(source, file), path.join(target, file))
  }
  for (const index of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    await copyOneFile(path.join(source, index), path.join(target, index))
  }
  await indexModules(to, release)
  const copied = await filesBelow(target, '.ko')
  assert(copied.length === chosen.length, 'every chosen module was copied')
  return copied
}

/** modules.dep: `file: needed needed …`, each file already listing all it needs. */
export function parseDependencies(text: string): ReadonlyMap<string, readonly string[]> {
  const needs = new Map<string, readonly string[]>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon < 0) continue
    const needed = line.slice(colon + 1).split(' ')
    needs.set(
      line.slice(0, colon),
      needed.filter((file) => file !== ''),
    )
  }
  return needs
}

/** The files of the modules called `names` with all they need, sorted. */
export function closure(
  needs: ReadonlyMap<string, readonly string[]>,
  names: readonly string[],
): readonly string[] {
  const wanted = new Set(names.map(moduleName))
  const chosen = new Set<string>()
  for (const [file, needed] of needs) {
    if (!wanted.has(moduleName(path.basename(file).replace(/\.ko.*$/, '')))) continue
    chosen.add(file)
    for (const other of needed) chosen.add(other)
  }
  return [...chosen].toSorted()
}

/** The kernel takes `-` and `_` in a module's name for the same. */
const moduleName = (name: string): string => name.replaceAll('-', '_')
