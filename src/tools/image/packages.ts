/** Debian's packages: the root's, installed; the kernel's and busybox's, unpacked. */
import path from 'node:path'
import { assert } from '../../base/assert.ts'
import { runCommand } from '../../platform/commands.ts'
import { makeDirectories, namesIn, removeTree, writeText } from '../../platform/file-tree.ts'
import type { AptSource } from './apt-sources.ts'
import { busyboxPackage, kernelMetaPackage, rootPackages } from './recipe.ts'

const installMsMax = 20 * 60_000
const unpackMsMax = 5 * 60_000
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Documentation is never unpacked at all: that is a quarter of the time to install. */
const excludedPaths = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*']

/**
 * Downloads beside the root, with the sources and keys of the root's own apt, so that kernel and
 * root come from one state of the archive. Runs outside the new root; `$2` is where to.
 */
const downloadHook = `set -e
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
cd "$JANGADA_DEBS"
kernel=$(apt-cache depends ${kernelMetaPackage} | sed -n 's/.*Depends: //p' | head -n 1)
apt-get download "$kernel" ${busyboxPackage}`

/**
 * Fills `directory` with `root/` (Debian with systemd and Docker), `kernel/` (its package's files)
 * and `busybox/`. mmdebstrap takes several archives at once, debootstrap only one: with it the
 * security archive's packages would be missing.
 */
export async function installPackages(
  directory: string,
  sources: readonly AptSource[],
  codename: string,
): Promise<void> {
  const debs = path.join(directory, 'debs')
  await makeDirectories(debs)
  const list = path.join(directory, 'sources.list')
  await writeText(list, sourceLines(sources).join('\n') + '\n')
  await runCommand(
    'mmdebstrap',
    [
      '--mode=root',
      '--variant=essential',
      '--format=directory',
      ...excludedPaths.map((excluded) => `--dpkgopt=path-exclude=${excluded}`),
      `--include=${rootPackages.join(',')}`,
      `--customize-hook=${downloadHook}`,
      codename,
      path.join(directory, 'root'),
      list,
    ],
    { timeoutMs: installMsMax, env: { JANGADA_DEBS: debs } },
  )
  const downloaded = await namesIn(debs)
  const deb = (start: string): string => {
    const found = downloaded.filter((name) => name.startsWith(start) && name.endsWith('.deb'))
    assert(found.length === 1, `exactly one package ${start} was downloaded`)
    return path.join(debs, found[0] as string)
  }
  await unpack(deb('linux-image-'), path.join(directory, 'kernel'))
  await unpack(deb(`${busyboxPackage}_`), path.join(directory, 'busybox'))
  await removeTree(debs)
}

export const sourceLines = (sources: readonly AptSource[]): readonly string[] =>
  sources.map(({ uri, suite }) => `deb [signed-by=${keyring}] ${uri} ${suite} main`)

async function unpack(deb: string, into: string): Promise<void> {
  await runCommand('dpkg-deb', ['-x', deb, into], { timeoutMs: unpackMsMax })
}
