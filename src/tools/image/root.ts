/** The root image: Debian's packages, the kernel's modules, and what makes them a Jangada host. */
import path from 'node:path'
import { runCommand } from '../../platform/commands.ts'
import { makeDirectories, removePaths, removeTree, writeTree } from '../../platform/file-tree.ts'
import type { TreeEntry } from '../../platform/file-tree.ts'
import { indexModules, kernelRelease } from './kernel.ts'
import {
  enabledUnits,
  maskedGenerators,
  maskedUnits,
  removedFromRoot,
  removedModules,
} from './recipe.ts'

const copyMsMax = 5 * 60_000
const squashMsMax = 20 * 60_000

/**
 * Level 15 costs a minute once and saves every boot of every machine some bytes; reading it back
 * is as fast as with any level.
 */
export const squashOptions = ['-comp', 'zstd', '-Xcompression-level', '15', '-b', '131072']

/** Reads one of the files that travel with the product, as text. */
export type ReadAsset = (name: string) => string

/** Everything the root holds beside packages and modules. */
export function rootEntries(readAsset: ReadAsset): readonly TreeEntry[] {
  const file = (target: string, asset: string): TreeEntry => ({
    kind: 'file',
    path: target,
    content: readAsset(asset),
    mode: 0o644,
  })
  const link = (from: string, target: string): TreeEntry => ({ kind: 'link', path: from, target })
  const units = 'etc/systemd/system'
  return [
    file(`${units}/jangada.service`, 'systemd/jangada.service'),
    file(`${units}/jangada.service.d/image.conf`, 'systemd/image/jangada-image.conf'),
    file(`${units}/var-lib-docker.mount`, 'systemd/image/var-lib-docker.mount'),
    file('etc/systemd/network/50-ethernet.network', 'systemd/image/ethernet.network'),
    file('etc/systemd/journald.conf.d/image.conf', 'systemd/image/journald.conf'),
    file('etc/sysctl.d/50-jangada.conf', 'systemd/image/sysctl.conf'),
    file('etc/docker/daemon.json', 'systemd/image/daemon.json'),
    // Empty, and not absent: systemd then makes one up for this run without a "first boot".
    { kind: 'file', path: 'etc/machine-id', content: '', mode: 0o444 },
    { kind: 'file', path: 'etc/fstab', content: '', mode: 0o644 },
    { kind: 'file', path: 'etc/hosts', content: hosts, mode: 0o644 },
    // Without this systemd looks for a policy and complains on the console.
    { kind: 'file', path: 'etc/selinux/config', content: 'SELINUX=disabled\n', mode: 0o644 },
    ...maskedUnits.map((unit) => link(`${units}/${unit}`, '/dev/null')),
    ...maskedGenerators.map((name) => link(`etc/systemd/system-generators/${name}`, '/dev/null')),
    ...enabledUnits.map((enabled) =>
      link(`${units}/${enabled.wantedBy}.wants/${enabled.unit}`, `${enabled.in}/${enabled.unit}`),
    ),
    link(`${units}/default.target`, '/lib/systemd/system/multi-user.target'),
    ...['dev', 'proc', 'sys', 'run', 'mnt'].map((name): TreeEntry => ({
      kind: 'directory',
      path: name,
      mode: 0o755,
    })),
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
    { kind: 'directory', path: 'var/lib/docker', mode: 0o711 },
  ]
}

const hosts = '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n'

/** Writes `root.squashfs` into `directory` from what `installPackages` left at `packages`. */
export async function buildRoot(
  directory: string,
  packages: string,
  entries: readonly TreeEntry[],
): Promise<void> {
  const root = path.join(directory, 'root')
  await runCommand('cp', ['-a', path.join(packages, 'root'), root], { timeoutMs: copyMsMax })
  await removePaths(root, removedFromRoot)
  await writeTree(root, entries)
  await addModules(root, path.join(packages, 'kernel'))
  const image = path.join(directory, 'root.squashfs')
  const options = ['-noappend', '-quiet', '-no-progress', ...squashOptions]
  await runCommand('mksquashfs', [root, image, ...options], {
    timeoutMs: squashMsMax,
    // The same files give the same image, whenever it is built.
    env: { SOURCE_DATE_EPOCH: '0' },
  })
  await removeTree(root)
}

/** Copies the kernel's modules into the root, but for `removedModules`, and indexes them. */
export async function addModules(root: string, kernel: string): Promise<void> {
  const release = await kernelRelease(kernel)
  const modules = path.join('usr/lib/modules', release)
  await makeDirectories(path.join(root, 'usr/lib/modules'))
  await runCommand(
    'cp',
    ['-a', path.join(kernel, 'lib/modules', release), path.join(root, modules)],
    {
      timeoutMs: copyMsMax,
    },
  )
  await removePaths(
    root,
    removedModules.map((part) => path.join(modules, 'kernel', part)),
  )
  await indexModules(root, release)
}
