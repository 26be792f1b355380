/** A small image, packed as `jangada image build` packs a real one. */
import { createReadStream } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import type { ImageManifest } from '../../../src/base/image-manifest.ts'
import { writeTarZstd } from '../../../src/platform/archive.ts'
import type { FileToPack } from '../../../src/platform/archive.ts'
import { digestOfFile, newSha256 } from '../../../src/platform/digest.ts'

export const sha256Of = (bytes: Uint8Array): string => {
  const digest = newSha256()
  digest.update(bytes)
  return digest.digestHex()
}

export interface SmallImage {
  readonly sha256: string
  readonly manifest: ImageManifest
  /** Where the archive lies. */
  readonly file: string
  /** The archive's bytes, from its start, for one import. */
  read(): AsyncIterable<Uint8Array>
}

/** `change` sees what is about to be packed, and may spoil it. */
export async function smallImage(
  directory: string,
  contents: Readonly<Record<string, Uint8Array>>,
  change: (manifest: ImageManifest, files: FileToPack[]) => FileToPack[] = (_, files) => files,
  name = 'jangada',
): Promise<SmallImage> {
  const manifest: ImageManifest = {
    format: 1,
    name,
    version: '0.1.0+6.1.0-1-amd64',
    kernel: '6.1.0-1-amd64',
    architecture: 'amd64',
    bootArguments: 'apparmor=0',
    files: Object.entries(contents).map(([file, bytes]) => ({
      name: file,
      sha256: sha256Of(bytes),
      size: bytes.length,
    })),
  }
  const head = new TextEncoder().encode(JSON.stringify(manifest))
  const files: FileToPack[] = [
    { name: 'manifest.json', size: head.length, from: { bytes: head } },
    ...Object.entries(contents).map(([file, bytes]) => ({
      name: file,
      size: bytes.length,
      from: { bytes },
    })),
  ]
  const archive = path.join(await mkdtemp(path.join(directory, 'image-')), 'image.tar.zst')
  await writeTarZstd(archive, change(manifest, files))
  const { sha256 } = await digestOfFile(archive)
  return { sha256, manifest, file: archive, read: () => createReadStream(archive) }
}
