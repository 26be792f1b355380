/**
 * What a system image says of itself: `manifest.json`, the first file of the archive. Written by
 * `tools/image`, read by `node/assets`.
 */
import { JangadaError } from './errors.ts'

/** Grows when a reader of an older version could no longer boot from the image. */
export const imageFormat = 1

/** A manifest is read whole into memory. */
export const manifestBytesMax = 64 * 1024
export const imageFilesMax = 16
/** Any one file of an image. */
export const imageFileBytesMax = 4 * 1024 * 1024 * 1024
const bootArgumentsCharactersMax = 512

export interface ImageManifest {
  readonly format: typeof imageFormat
  /** What profiles call it: `jangada`. A newer import under the same name takes its place. */
  readonly name: string
  /** The product's version, the kernel's and a digest of what it was built from. */
  readonly version: string
  /** As `uname -r` tells it. */
  readonly kernel: string
  readonly architecture: 'amd64'
  /** Kernel arguments that the image needs whoever boots it. Nothing of a cluster or machine. */
  readonly bootArguments: string
  /** `vmlinuz`, `initrd.img` and `root.squashfs`, in the archive's order. */
  readonly files: readonly ImageFile[]
}

export interface ImageFile {
  readonly name: string
  /** 64 lower-case hex digits. */
  readonly sha256: string
  readonly size: number
}

/** Every image has these; a manifest without one of them is refused. */
export const imageFileNames = ['vmlinuz', 'initrd.img', 'root.squashfs'] as const

const plainName = /^[a-z0-9][a-z0-9._-]{0,63}$/
const digest = /^[0-9a-f]{64}$/

/** True for a name that is safe as a file's name and in a URL. */
export const isImageName = (text: string): boolean => plainName.test(text)
export const isSha256 = (text: string): boolean => digest.test(text)

/** Throws `JGD_IMAGE_FORMAT`, saying which field, for anything but a whole manifest of format 1. */
export function parseImageManifest(text: string): ImageManifest {
  const value = parseObject(text)
  if (value['format'] !== imageFormat) {
    throw refused(`its format is ${String(value['format'])}, and this version reads ${imageFormat}`)
  }
  const name = textField(value, 'name')
  if (!isImageName(name)) throw refused(`its name is ${JSON.stringify(name)}`)
  if (value['architecture'] !== 'amd64') throw refused('its architecture is not amd64')
  const bootArguments = textField(value, 'bootArguments')
  if (!/^[\x20-\x7e]*$/.test(bootArguments)) throw refused('its bootArguments are not plain text')
  return {
    format: imageFormat,
    name,
    version: textField(value, 'version'),
    kernel: textField(value, 'kernel'),
    architecture: 'amd64',
    bootArguments,
    files: parseFiles(value['files']),
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (cause) {
    throw refused('it is not JSON', cause)
  }
  throw refused('it is not an object')
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textField(value: Record<string, unknown>, field: string): string {
  const text = value[field]
  if (typeof text !== 'string' || text.length > bootArgumentsCharactersMax) {
    throw refused(`its ${field} is missing or not a short text`)
  }
  return text
}

function parseFiles(value: unknown): readonly ImageFile[] {
  if (!Array.isArray(value) || value.length > imageFilesMax) {
    throw refused(`its files are not a list of at most ${imageFilesMax}`)
  }
  const files = value.map(parseFile)
  const names = new Set(files.map((file) => file.name))
  if (names.size !== files.length) throw refused('it names a file twice')
  for (const name of imageFileNames) if (!names.has(name)) throw refused(`it lacks ${name}`)
  return files
}

function parseFile(value: unknown): ImageFile {
  if (!isObject(value)) throw refused('a file is not an object')
  const { name, sha256, size } = value
  if (typeof name !== 'string' || !isImageName(name)) throw refused('a file has no plain name')
  if (typeof sha256 !== 'string' || !isSha256(sha256)) throw refused(`${name} has no sha256`)
  if (!Number.isSafeInteger(size) || (size as number) < 1 || (size as number) > imageFileBytesMax) {
    throw refused(`${name} has no size between 1 byte and 4 GiB`)
  }
  return { name, sha256, size: size as number }
}

function refused(what: string, cause?: unknown): JangadaError {
  return new JangadaError('JGD_IMAGE_FORMAT', `the image's manifest is refused: ${what}`, {
    hint: 'import a file that `jangada image build` of this version or an older one has left',
    ...(cause === undefined ? {} : { cause }),
  })
}
