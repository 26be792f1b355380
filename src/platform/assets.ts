/**
 * Files that travel in the binary: `cloud-config/…`, `ipxe/…` and `systemd/…` of the repository,
 * `loaders/…` (Debian's iPXE) and `worker.cjs`. From a checkout they are read where they lie.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import sea from 'node:sea'
import { assert } from '../base/assert.ts'

/** Where Debian's `ipxe` package puts undionly.kpxe, ipxe.efi and snponly.efi. */
const loadersDirectory = '/usr/lib/ipxe'

/** True in `dist/jangada`, false when run from a checkout. */
export const isBinary = (): boolean => sea.isSea()

/**
 * The bytes of `name`, for example `loaders/undionly.kpxe`. In the binary they are a view of the
 * executable itself and must not be written to. Throws when there is no such asset: names are
 * ours, so that is our bug.
 */
export function embeddedAsset(name: string): Uint8Array {
  assert(!name.startsWith('/') && !name.includes('..'), 'an asset has a plain relative name')
  return sea.isSea() ? new Uint8Array(sea.getRawAsset(name)) : readFileSync(assetFile(name))
}

function assetFile(name: string): string {
  const loader = /^loaders\/(.+)$/.exec(name)?.[1]
  if (loader !== undefined) return path.join(loadersDirectory, loader)
  return path.join(import.meta.dirname, '..', '..', name)
}
