/** IPv4 addresses and subnets as numbers, so that comparing and counting them is arithmetic. */
import { assert } from '../../base/assert.ts'

declare const brand: unique symbol

/** An address as an unsigned 32-bit integer in host order: 10.0.0.1 is 0x0a000001. */
export type Ipv4 = number & { readonly [brand]: 'Ipv4' }

/** 0.0.0.0: DHCP's "none". */
export const unspecified = 0 as Ipv4
export const limitedBroadcast = 0xffff_ffff as Ipv4

export const ipv4 = (value: number): Ipv4 => {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'an address has 32 bits')
  return value as Ipv4
}

/**
 * Four decimal numbers with dots, without leading zeros; undefined for anything else. An
 * IPv4-mapped IPv6 address, as dual-stack sockets name their IPv4 peers, is read as IPv4.
 */
export function parseIpv4(text: string): Ipv4 | undefined {
  const parts = (/^::ffff:/i.test(text) ? text.slice(7) : text).split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value as Ipv4
}

export const formatIpv4 = (address: Ipv4): string =>
  [address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff].join('.')

/** Big-endian, as every protocol here carries addresses. */
export const ipv4ToBytes = (address: Ipv4): Uint8Array =>
  new Uint8Array([address >>> 24, address >>> 16, address >>> 8, address])

/** Undefined unless `bytes` are exactly four. */
export function ipv4FromBytes(bytes: Uint8Array | undefined): Ipv4 | undefined {
  if (bytes === undefined || bytes.length !== 4) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) as Ipv4
}

export interface Subnet {
  /** Any address within the subnet. */
  readonly address: Ipv4
  /** 1 to 30: a subnet with room for hosts beside its network and broadcast addresses. */
  readonly prefixLength: number
}

export function netmask(prefixLength: number): Ipv4 {
  assert(prefixLength >= 1 && prefixLength <= 32, 'a prefix has 1 to 32 bits')
  return ((0xffff_ffff << (32 - prefixLength)) >>> 0) as Ipv4
}

export const networkAddress = (subnet: Subnet): Ipv4 =>
  ((subnet.address & netmask(subnet.prefixLength)) >>> 0) as Ipv4

export const broadcastAddress = (subnet: Subnet): Ipv4 =>
  ((subnet.address | ~netmask(subnet.prefixLength)) >>> 0) as Ipv4

/** A host's address in the subnet: neither the network's own nor its broadcast address. */
export const isHostIn = (subnet: Subnet, address: Ipv4): boolean =>
  address > networkAddress(subnet) && address < broadcastAddress(subnet)
