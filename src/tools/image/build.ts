/**
 * `jangada image build`: a bootable system from Debian's packages, as one file. The agent's binary
 * is not in it. A machine fetches that from its boot node, so the image need not be built again
 * for every build of the product, and a machine's agent is always of its boot node's version.
 */
import path from 'node:path'
import { JangadaError } from '../../base/errors.ts'
import { imageFormat } from '../../base/image-manifest.ts'
import type { ImageFile, ImageManifest } from '../../base/image-manifest.ts'
import { writeTarZstd } from '../../platform/archive.ts'
import { hasProgram } from '../../platform/commands.ts'
import { digestOfFile } from '../../platform/digest.ts'
import {
  copyOneFile,
  makeDirectories,
  moveTree,
  namesIn,
  readText,
  readTextIfThere,
  writeText,
} from '../../platform/file-tree.ts'
import type { Clock } from '../../ports/clock.ts'
import { debianSources } from './apt-sources.ts'
import type { AptFile, AptSource } from './apt-sources.ts'
import { StepCache } from './cache.ts'
import type { Progress } from './cache.ts'
import { buildInitramfs, initramfsEntries } from './initramfs.ts'
import { kernelRelease } from './kernel.ts'
import { installPackages, sourceLines } from './packages.ts'
import * as recipe from './recipe.ts'
import { buildRoot, rootEntries, squashOptions } from './root.ts'
import type { ReadAsset } from './root.ts'

export const defaultCacheDirectory = '/var/cache/jangada-build'

/** Programs that the steps run, and the Debian packages that have them. */
export const neededPrograms: Readonly<Record<string, string>> = {
  mmdebstrap: 'mmdebstrap',
  mksquashfs: 'squashfs-tools',
  depmod: 'kmod',
  cpio: 'cpio',
  zstd: 'zstd',
}

export interface BuildOptions {
  /** The archive to write: a `.tar.zst`. Replaced only when the new one is whole. */
  readonly output: string
  readonly cacheDirectory: string
  /** The product's version, for the manifest. */
  readonly productVersion: string
  /** Fetches Debian's packages again, for newer security updates. */
  readonly refresh: boolean
  readonly readAsset: ReadAsset
  readonly clock: Pick<Clock, 'monotonicMs' | 'wallMs'>
  readonly onProgress: (progress: Progress) => void
}

export interface BuiltImage {
  readonly path: string
  readonly sha256: string
  readonly size: number
  readonly manifest: ImageManifest
}

/**
 * Builds the image, reusing what the cache holds. Needs root (the root file system has other
 * owners' files) and the programs of `neededPrograms`; rejects with `JGD_NEEDS_ROOT`,
 * `JGD_TOOL_MISSING` or `JGD_COMMAND_FAILED`.
 */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const cache = new StepCache(options.cacheDirectory, options.clock, options.onProgress)
  const packages = await packagesStep(cache, options)
  const entries = rootEntries(options.readAsset)
  const root = await cache.step(
    'root',
    'compressing the root image',
    [
      recipe.recipeVersion,
      packages.key,
      entries,
      squashOptions,
      recipe.removedFromRoot,
      recipe.removedModules,
    ],
    (directory) => buildRoot(directory, packages.directory, entries),
  )
  const bootEntries = initramfsEntries(options.readAsset)
  const boot = await cache.step(
    'boot',
    'making the initramfs',
    [
      recipe.recipeVersion,
      packages.key,
      bootEntries,
      recipe.initramfsCoreModules,
      recipe.initramfsNetworkModules,
      recipe.initramfsFilesOfRoot,
    ],
    (directory) => buildInitramfs(directory, packages.directory, bootEntries),
  )
  const kernel = await kernelRelease(path.join(packages.directory, 'kernel'))
  const version = `${options.productVersion}+${kernel}.${root.key.slice(0, 6)}${boot.key.slice(0, 6)}`
  return await packStep(cache, options, { kernel, version, root, boot })
}

interface Step {
  readonly directory: string
  readonly key: string
}

/**
 * Debian with Docker, and its kernel, as `installPackages` leaves them: in the image and in the
 * tests' other machines alike. Rejects as `buildImage`.
 */
export async function packagesStep(
  cache: StepCache,
  options: Pick<BuildOptions, 'cacheDirectory' | 'refresh' | 'clock'>,
): Promise<Step> {
  await checkMachine()
  const { codename, sources } = await machineSources()
  await makeDirectories(options.cacheDirectory)
  // The archives move on under the same names: what was fetched is kept until a refresh is asked
  // for, and the refresh is remembered, so that later builds go on from it.
  const stampFile = path.join(options.cacheDirectory, 'refreshed')
  if (options.refresh) await writeText(stampFile, String(options.clock.wallMs()))
  const refreshed = (await readTextIfThere(stampFile)) ?? ''
  return await cache.step(
    'packages',
    `installing Debian ${codename}, Docker and the kernel from ${sources[0]?.uri ?? ''}`,
    [
      recipe.recipeVersion,
      sourceLines(sources),
      recipe.rootPackages,
      recipe.kernelMetaPackage,
      recipe.busyboxPackage,
      refreshed,
    ],
    (directory) => installPackages(directory, sources, codename),
  )
}

async function packStep(
  cache: StepCache,
  options: BuildOptions,
  parts: { kernel: string; version: string; root: Step; boot: Step },
): Promise<BuiltImage> {
  const files: ImageFile[] = []
  const paths = new Map<string, string>()
  for (const [step, name] of [
    [parts.boot, 'vmlinuz'],
    [parts.boot, 'initrd.img'],
    [parts.root, 'root.squashfs'],
  ] as const) {
    const file = path.join(step.directory, name)
    paths.set(name, file)
    files.push({ name, ...(await digestOfFile(file)) })
  }
  const manifest: ImageManifest = {
    format: imageFormat,
    name: recipe.imageName,
    version: parts.version,
    kernel: parts.kernel,
    architecture: 'amd64',
    bootArguments: recipe.bootArguments,
    files,
  }
  const packed = await cache.step('archive', 'packing', manifest, (directory) =>
    writeArchive(path.join(directory, 'image.tar.zst'), manifest, paths),
  )
  await makeDirectories(path.dirname(options.output))
  await copyOneFile(path.join(packed.directory, 'image.tar.zst'), `${options.output}.new`)
  await moveTree(`${options.output}.new`, options.output)
  return { path: options.output, ...(await digestOfFile(options.output)), manifest }
}

async function writeArchive(
  archive: string,
  manifest: ImageManifest,
  paths: ReadonlyMap<string, string>,
): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`)
  await writeTarZstd(archive, [
    // First, so that a reader can check every file as it comes.
    { name: 'manifest.json', size: bytes.length, from: { bytes } },
    ...manifest.files.map((file) => ({
      name: file.name,
      size: file.size,
      from: { path: paths.get(file.name) ?? '' },
    })),
  ])
}

async function checkMachine(): Promise<void> {
  if (process.platform !== 'linux') {
    throw new JangadaError('JGD_NEEDS_LINUX', 'a system image can only be built on Linux', {
      hint: 'build it on a Debian 12 machine and import the file',
    })
  }
  if (process.getuid?.() !== 0) {
    throw new JangadaError('JGD_NEEDS_ROOT', 'building a system image needs root', {
      hint: 'run it again with sudo',
    })
  }
  const missing: string[] = []
  for (const [program, debianPackage] of Object.entries(neededPrograms)) {
    if (!(await hasProgram(program))) missing.push(debianPackage)
  }
  if (missing.length > 0) {
    throw new JangadaError('JGD_TOOL_MISSING', `missing here: ${missing.join(', ')}`, {
      hint: `apt-get install ${missing.join(' ')}`,
    })
  }
}

/** The release that this machine runs, and the archives it gets it from. */
async function machineSources(): Promise<{ codename: string; sources: readonly AptSource[] }> {
  const release = (await readTextIfThere('/etc/os-release')) ?? ''
  const codename = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1]
  if (!/^ID="?debian"?$/m.test(release) || codename === undefined) {
    throw new JangadaError('JGD_TOOL_MISSING', 'this machine does not run a Debian release', {
      hint: 'build the image on a Debian 12 machine and import the file here',
    })
  }
  const files: AptFile[] = []
  const main = await readTextIfThere('/etc/apt/sources.list')
  if (main !== undefined) files.push({ name: 'sources.list', text: main })
  const parts = '/etc/apt/sources.list.d'
  for (const name of await namesIn(parts)) {
    if (!/\.(list|sources)$/.test(name)) continue
    files.push({ name, text: await readText(path.join(parts, name)) })
  }
  return { codename, sources: debianSources(files, codename) }
}
