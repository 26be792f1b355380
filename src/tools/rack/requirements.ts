/** What the machine must offer before a rack can be built on it. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'

const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Program → Debian package. */
const hostPrograms = {
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  tar: 'tar',
  tini: 'tini',
  containerd: 'containerd',
  dockerd: 'docker.io',
  busybox: 'busybox-static',
} as const
const blankPrograms = { 'qemu-system-x86_64': 'qemu-system-x86' } as const

/**
 * Throws `JGD_NEEDS_LINUX`, `JGD_NEEDS_ROOT`, or `JGD_RACK` naming the packages to install.
 */
export async function checkRequirements(options: { blanks: boolean }): Promise<void> {
  checkSystem(process.platform, process.getuid?.())
  const programs = { ...hostPrograms, ...(options.blanks ? blankPrograms : {}) }
  const missing = new Set<string>()
  for (const [program, debianPackage] of Object.entries(programs)) {
    if ((await lookUp(program)) === undefined) missing.add(debianPackage)
  }
  if (missing.size === 0) return
  const packages = [...missing].join(' ')
  throw new JangadaError('JGD_RACK', `the rack needs programs that are not here: ${packages}`, {
    hint: `On Debian: apt-get install --no-install-recommends ${packages}`,
  })
}

export function checkSystem(platform: string, uid: number | undefined): void {
  if (platform !== 'linux') {
    throw new JangadaError('JGD_NEEDS_LINUX', `the rack cannot run on ${platform}`, {
      hint: 'It is made of Linux namespaces. Run it on a Linux machine, real or virtual.',
    })
  }
  if (uid !== 0) {
    throw new JangadaError('JGD_NEEDS_ROOT', 'the rack needs root to make namespaces and mounts', {
      hint: 'Run the same command with sudo.',
    })
  }
}

/** The full path of `program`; throws `JGD_RACK` when it is in no system directory. */
export async function findProgram(program: string): Promise<string> {
  const found = await lookUp(program)
  if (found !== undefined) return found
  throw new JangadaError('JGD_RACK', `there is no program "${program}" here`, {
    hint: `Install it; the rack looks in ${searchPath.join(', ')}.`,
  })
}

async function lookUp(program: string): Promise<string | undefined> {
  for (const directory of searchPath) {
    const file = path.join(directory, program)
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runs) return file
  }
  return undefined
}
