/**
 * An ordinary Debian with Docker on a disk, as an operator would have it before Jangada comes: a
 * fixed address, and nothing of ours but a way for the test to give it commands.
 */
import path from 'node:path'
import { systemClock } from '../../../src/platform/clock.ts'
import { runCommand } from '../../../src/platform/commands.ts'
import {
  copyOneFile,
  makeDirectories,
  removeTree,
  writeTree,
  type TreeEntry,
} from '../../../src/platform/file-tree.ts'
import { defaultCacheDirectory, packagesStep } from '../../../src/tools/image/build.ts'
import { StepCache, type Progress } from '../../../src/tools/image/cache.ts'
import { copyModules, kernelRelease } from '../../../src/tools/image/kernel.ts'
import { addModules } from '../../../src/tools/image/root.ts'

const copyMsMax = 5 * 60_000
/** Sparse: only what is used takes room. */
const diskSize = '4G'
/** Grows when the same entries would be carried out differently. */
const recipeVersion = 1

/** Where the second disk, with what the machine was given, is seen. */
export const mediaDirectory = '/mnt'

export interface DebianDisk {
  /** A whole ext4 file system; to be written to only through a snapshot. */
  readonly disk: string
  readonly kernel: string
  readonly initramfs: string
}

/** The disk of a machine whose only link, eth0, has `address` (with its prefix length). */
export async function debianDisk(
  address: string,
  onProgress: (progress: Progress) => void,
): Promise<DebianDisk> {
  const clock = systemClock()
  const cache = new StepCache(defaultCacheDirectory, clock, onProgress)
  const packages = await packagesStep(cache, {
    cacheDirectory: defaultCacheDirectory,
    refresh: false,
    clock,
  })
  const entries = diskEntries(address)
  const { directory } = await cache.step(
    'e2e-machine',
    'writing the disk of a Debian machine',
    [recipeVersion, packages.key, entries, initramfsScript, initramfsModules, diskSize],
    async (into) => {
      await writeDisk(into, packages.directory, entries)
      await writeInitramfs(into, packages.directory)
    },
  )
  return {
    disk: path.join(directory, 'disk.ext4'),
    kernel: path.join(directory, 'vmlinuz'),
    initramfs: path.join(directory, 'initrd.img'),
  }
}

/**
 * Reads commands in base64, one a line, from the machine's second serial port; answers each with
 * its exit code and its output, in base64 too, so that nothing on the way can be taken for the end
 * of a line.
 */
const commandServer = `#!/bin/bash
stty raw -echo
echo ready
while read -r encoded; do
  base64 -d <<<"$encoded" >/run/command
  bash /run/command >/run/output 2>&1 </dev/null
  echo "$? $(base64 -w 0 /run/output)"
done
`

const commandService = `[Unit]
Description=Commands from the serial line
After=network.target docker.service

[Service]
ExecStart=/usr/local/sbin/serve-commands
StandardInput=tty
StandardOutput=tty
StandardError=journal+console
TTYPath=/dev/ttyS1
# What a command leaves running is not this service's.
KillMode=process
Environment=HOME=/root
`

function diskEntries(address: string): readonly TreeEntry[] {
  const file = (target: string, content: string, mode = 0o644): TreeEntry => ({
    kind: 'file',
    path: target,
    content,
    mode,
  })
  const units = 'etc/systemd/system'
  const enable = (unit: string, from: string): TreeEntry => ({
    kind: 'link',
    path: `${units}/multi-user.target.wants/${unit}`,
    target: `${from}/${unit}`,
  })
  return [
    file('etc/fstab', `/dev/vda / ext4 defaults 0 0\n/dev/vdb ${mediaDirectory} squashfs ro 0 0\n`),
    file('etc/hostname', 'debian\n'),
    file('etc/hosts', '127.0.0.1 localhost debian\n'),
    file('etc/machine-id', '', 0o444),
    file(
      'etc/systemd/network/10-eth0.network',
      `[Match]\nName=eth0\n\n[Network]\nAddress=${address}\n`,
    ),
    file('usr/local/sbin/serve-commands', commandServer, 0o755),
    file(`${units}/commands.service`, commandService),
    enable('commands.service', '/etc/systemd/system'),
    enable('systemd-networkd.service', '/lib/systemd/system'),
    // Nobody sits at the console, and nothing waits for a network beyond eth0.
    ...['getty.target', 'systemd-networkd-wait-online.service'].map((unit): TreeEntry => ({
      kind: 'link',
      path: `${units}/${unit}`,
      target: '/dev/null',
    })),
  ]
}

async function writeDisk(
  into: string,
  packages: string,
  entries: readonly TreeEntry[],
): Promise<void> {
  const root = path.join(into, 'root')
  await runCommand('cp', ['-a', path.join(packages, 'root'), root], { timeoutMs: copyMsMax })
  await writeTree(root, entries)
  await addModules(root, path.join(packages, 'kernel'))
  const disk = path.join(into, 'disk.ext4')
  await runCommand('mkfs.ext4', ['-q', '-O', '^has_journal', '-d', root, disk, diskSize], {
    timeoutMs: copyMsMax,
  })
  await removeTree(root)
}

/** Debian's kernel has neither the disk's driver nor its file system built in. */
const initramfsModules = ['virtio_pci', 'virtio_blk', 'ext4', 'crc32c_generic']

const initramfsScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
modprobe -a ${initramfsModules.join(' ')}
until mount -t ext4 /dev/vda /root; do sleep 0.2; done
for directory in dev proc; do mount --move /$directory /root/$directory; done
exec switch_root /root /sbin/init
`

async function writeInitramfs(into: string, packages: string): Promise<void> {
  const kernel = path.join(packages, 'kernel')
  const release = await kernelRelease(kernel)
  await copyOneFile(path.join(kernel, 'boot', `vmlinuz-${release}`), path.join(into, 'vmlinuz'))
  const tree = path.join(into, 'initramfs')
  await writeTree(tree, [
    { kind: 'file', path: 'init', content: initramfsScript, mode: 0o755 },
    ...['bin', 'dev', 'proc', 'root'].map((name): TreeEntry => ({
      kind: 'directory',
      path: name,
      mode: 0o755,
    })),
  ])
  await copyOneFile(path.join(packages, 'busybox/bin/busybox'), path.join(tree, 'bin/busybox'))
  await makeDirectories(path.join(tree, 'lib/modules', release))
  await copyModules(kernel, tree, release, initramfsModules)
  const pack = 'find . | cpio -o -H newc --quiet -R 0:0 >"$1"'
  await runCommand('sh', ['-c', pack, 'pack', path.join(into, 'initrd.img')], {
    cwd: tree,
    timeoutMs: copyMsMax,
  })
  await removeTree(tree)
}

/** A read-only disk with `files` (name on it → where it is now). */
export async function mediaDisk(
  into: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const tree = path.join(into, 'media')
  await makeDirectories(tree)
  for (const [name, from] of Object.entries(files)) {
    await runCommand('cp', ['-a', from, path.join(tree, name)], { timeoutMs: copyMsMax })
  }
  const disk = path.join(into, 'media.squashfs')
  // What is on it is compressed already, or read once.
  const stored = ['-noI', '-noD', '-noF', '-noX', '-quiet', '-no-progress', '-noappend']
  await runCommand('mksquashfs', [tree, disk, ...stored], { timeoutMs: copyMsMax })
  await removeTree(tree)
  return disk
}
