/** The small initramfs: busybox, the drivers of network cards, and our own first process. */
import path from 'node:path'
import { runCommand } from '../../platform/commands.ts'
import { copyOneFile, makeDirectories, removeTree, writeTree } from '../../platform/file-tree.ts'
import type { TreeEntry } from '../../platform/file-tree.ts'
import { copyModules, indexModules, kernelRelease } from './kernel.ts'
import {
  initramfsCoreModules,
  initramfsFilesOfRoot,
  initramfsNetworkModules,
  initramfsPrograms,
} from './recipe.ts'
import type { ReadAsset } from './root.ts'

const packMsMax = 5 * 60_000

/** Everything the initramfs holds beside busybox and modules. */
export function initramfsEntries(readAsset: ReadAsset): readonly TreeEntry[] {
  const program = (target: string, asset: string): TreeEntry => ({
    kind: 'file',
    path: target,
    content: readAsset(asset),
    mode: 0o755,
  })
  return [
    program('init', 'systemd/image/initramfs-init'),
    program('bin/on-lease', 'systemd/image/initramfs-on-lease'),
    ...initramfsPrograms.map((name): TreeEntry => ({
      kind: 'link',
      path: `bin/${name}`,
      target: 'busybox',
    })),
    ...['dev', 'proc', 'sys', 'tmp', 'mnt', 'etc'].map((name): TreeEntry => ({
      kind: 'directory',
      path: name,
      mode: 0o755,
    })),
  ]
}

/** Writes `vmlinuz` and `initrd.img` into `directory` from what `installPackages` left. */
export async function buildInitramfs(
  directory: string,
  packages: string,
  entries: readonly TreeEntry[],
): Promise<void> {
  const kernel = path.join(packages, 'kernel')
  const release = await kernelRelease(kernel)
  await copyOneFile(
    path.join(kernel, 'boot', `vmlinuz-${release}`),
    path.join(directory, 'vmlinuz'),
  )
  await indexModules(kernel, release)
  const tree = path.join(directory, 'tree')
  await makeDirectories(tree)
  await writeTree(tree, entries)
  await copyOneFile(path.join(packages, 'busybox/bin/busybox'), path.join(tree, 'bin/busybox'))
  for (const file of initramfsFilesOfRoot) {
    const target = path.join(tree, file)
    await makeDirectories(path.dirname(target))
    await copyOneFile(path.join(packages, 'root', file), target)
  }
  const wanted = [...initramfsCoreModules, ...initramfsNetworkModules]
  await copyModules(kernel, tree, release, wanted)
  await pack(tree, path.join(directory, 'initrd.img'))
  await removeTree(tree)
}

/** A cpio archive, sorted and without times, so that the same files give the same image. */
async function pack(tree: string, image: string): Promise<void> {
  const script = `set -e -o pipefail
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible -R 0:0 | zstd -q -19 -T0 -o "$1"`
  await runCommand('bash', ['-c', script, 'pack', image], { cwd: tree, timeoutMs: packMsMax })
}
