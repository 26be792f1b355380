/**
 * Who is asking: firmware, iPXE or an operating system. Boot options go only to those that ask
 * as boot firmware does; a phone on the link gets an address and nothing else.
 */
import { fromUtf8 } from '../../../base/bytes.ts'
import { option, readEncapsulated } from './options.ts'
import type { Options } from './options.ts'

/** The firmware and processor that a network loader must be built for. */
export type Platform = 'bios' | 'uefi-ia32' | 'uefi-x64' | 'uefi-arm32' | 'uefi-arm64'

export type DhcpClient =
  | { readonly kind: 'pxe'; readonly platform: Platform }
  | { readonly kind: 'uefi-http'; readonly platform: Platform }
  | { readonly kind: 'ipxe' }
  /** Firmware of an architecture we know no loader for. */
  | { readonly kind: 'unknown-firmware'; readonly architecture: number }
  | { readonly kind: 'os' }

/**
 * Option 93 (IANA "Processor Architecture Types"). RFC 4578 swapped 7 and 9 in an erratum, so
 * firmware of x64 sends either. 15, 16, 18 and 19 are the UEFI HTTP numbers.
 */
const platformOfArchitecture: ReadonlyMap<number, Platform> = new Map([
  [0, 'bios'],
  [6, 'uefi-ia32'],
  [7, 'uefi-x64'],
  [9, 'uefi-x64'],
  [10, 'uefi-arm32'],
  [11, 'uefi-arm64'],
  [15, 'uefi-ia32'],
  [16, 'uefi-x64'],
  [18, 'uefi-arm32'],
  [19, 'uefi-arm64'],
])

/** iPXE's numbers for what a build of it can do (`src/include/ipxe/features.h` there). */
const ipxeFeature = { http: 19, bzImage: 24, efi: 36 } as const

export function classifyClient(options: Options): DhcpClient {
  if (isCapableIpxe(options)) return { kind: 'ipxe' }
  const vendorClass = fromUtf8(options.get(option.vendorClass) ?? new Uint8Array())
  const architecture = architectureOf(options)
  if (architecture === undefined) return { kind: 'os' }
  const isPxe = vendorClass.startsWith('PXEClient')
  if (!isPxe && !vendorClass.startsWith('HTTPClient')) return { kind: 'os' }
  const platform = platformOfArchitecture.get(architecture)
  if (platform === undefined) return { kind: 'unknown-firmware', architecture }
  return { kind: isPxe ? 'pxe' : 'uefi-http', platform }
}

/** The first of option 93's 16-bit numbers; firmware puts its own first. */
function architectureOf(options: Options): number | undefined {
  const value = options.get(option.clientArchitecture)
  if (value === undefined || value.length < 2) return undefined
  return ((value[0] as number) << 8) | (value[1] as number)
}

/**
 * iPXE that can run our script. Some network cards carry an iPXE without HTTP or without the
 * kernel's format; those are firmware like any other and get our own iPXE first. A build that
 * lists no features at all is taken at the word of its user class.
 */
function isCapableIpxe(options: Options): boolean {
  const encapsulated = options.get(option.ipxe)
  const features = encapsulated === undefined ? undefined : readEncapsulated(encapsulated)
  if (features !== undefined && features.size > 0) {
    return (
      features.has(ipxeFeature.http) &&
      (features.has(ipxeFeature.bzImage) || features.has(ipxeFeature.efi))
    )
  }
  return hasIpxeUserClass(options.get(option.userClass))
}

/** Option 77 as RFC 3004 has it, with a length before the text, or as iPXE sends it, without. */
function hasIpxeUserClass(value: Uint8Array | undefined): boolean {
  if (value === undefined) return false
  return fromUtf8(value) === 'iPXE' || (value[0] === 4 && fromUtf8(value.subarray(1, 5)) === 'iPXE')
}
