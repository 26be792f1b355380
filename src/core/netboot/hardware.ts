/** What tells machines apart before they have a key: MAC address and SMBIOS UUID. */
import { bytesEqual, fromHex, toHex } from '../../base/bytes.ts'

declare const brand: unique symbol

/** Six lower-case hex pairs with colons; never zero and never a group address. */
export type Mac = string & { readonly [brand]: 'Mac' }

/** 32 lower-case hex digits in RFC 4122 order; never all zeros or all ones. */
export type Uuid = string & { readonly [brand]: 'Uuid' }

/** Undefined for a group address or zero: neither can be a machine's own. */
export function macFromBytes(bytes: Uint8Array): Mac | undefined {
  if (bytes.length !== 6 || ((bytes[0] as number) & 1) === 1) return undefined
  if (bytes.every((byte) => byte === 0)) return undefined
  return toHex(bytes).replace(/..(?!$)/g, '$&:') as Mac
}

/** Pairs with `:` or `-` between them, in either case; undefined for anything else. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined
  return macFromBytes(fromHex(text.replace(/[:-]/g, '')))
}

/** 32 hex digits with or without dashes; undefined for anything else, zeros and ones. */
export function parseUuid(text: string): Uuid | undefined {
  const dashed = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
  if (!dashed.test(text) && !/^[0-9a-f]{32}$/i.test(text)) return undefined
  const hex = text.replace(/-/g, '').toLowerCase()
  return /^(0{32}|f{32})$/.test(hex) ? undefined : (hex as Uuid)
}

/** As people and iPXE write it: 8-4-4-4-12. */
export const formatUuid = (uuid: Uuid): string =>
  uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/** DHCP option 97: a type byte 0 and 16 bytes (RFC 4578, 2.3). */
export function uuidFromOption97(option: Uint8Array | undefined): Uuid | undefined {
  if (option === undefined || option.length !== 17 || option[0] !== 0) return undefined
  return parseUuid(toHex(option.subarray(1)))
}

/**
 * Whether two UUIDs name one machine. SMBIOS stores the first three fields little-endian; some
 * ROMs send those bytes as they stand, while iPXE and Linux put them in RFC 4122 order. So one
 * machine may be seen under both spellings during one boot.
 */
export function sameMachineUuid(a: Uuid, b: Uuid): boolean {
  if (a === b) return true
  const bytes = fromHex(a)
  const swapped = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
  return bytesEqual(
    Uint8Array.from(swapped, (at) => bytes[at] as number),
    fromHex(b),
  )
}
