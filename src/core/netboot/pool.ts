/** Which address a machine gets: arithmetic over one link's range. */
import { assert } from '../../base/assert.ts'
import type { Mac } from './hardware.ts'
import { broadcastAddress, isHostIn, networkAddress } from './ipv4.ts'
import type { Ipv4, Subnet } from './ipv4.ts'

/** Both ends included. Invariant: first <= last, both hosts of one subnet. */
export interface Pool {
  readonly first: Ipv4
  readonly last: Ipv4
}

export const poolSize = (pool: Pool): number => pool.last - pool.first + 1

export const poolContains = (pool: Pool, address: Ipv4): boolean =>
  address >= pool.first && address <= pool.last

/** Undefined unless both ends are hosts of `subnet` and in order. */
export function makePool(subnet: Subnet, first: Ipv4, last: Ipv4): Pool | undefined {
  if (first > last || !isHostIn(subnet, first) || !isHostIn(subnet, last)) return undefined
  return { first, last }
}

/** The upper half of the subnet's hosts: administrators number their own machines from below. */
export function defaultPool(subnet: Subnet): Pool {
  assert(subnet.prefixLength <= 29, 'a link with a pool has at least six hosts')
  const network = networkAddress(subnet)
  const last = (broadcastAddress(subnet) - 1) as Ipv4
  return { first: (network + Math.ceil((last - network + 1) / 2)) as Ipv4, last }
}

/**
 * The share of a pool that machines nobody has admitted may hold together. Their packets are
 * unauthenticated, so a flood of invented MACs must leave addresses for machines that are known.
 */
export const strangersShare = 0.5

export const strangersMax = (pool: Pool): number =>
  Math.max(1, Math.floor(poolSize(pool) * strangersShare))

/**
 * A free address for `mac`: the first one that is not `taken`, searched from a place that the
 * MAC alone decides. So a machine whose binding was forgotten usually gets its old address back,
 * and a neighbour's arrival does not shift it. Undefined when every address is taken.
 */
export function chooseAddress(
  pool: Pool,
  mac: Mac,
  taken: (address: Ipv4) => boolean,
): Ipv4 | undefined {
  const size = poolSize(pool)
  const start = hash(mac) % size
  for (let step = 0; step < size; step += 1) {
    const address = (pool.first + ((start + step) % size)) as Ipv4
    if (!taken(address)) return address
  }
  return undefined
}

/** FNV-1a, 32 bits: spreads neighbouring MACs well enough, and every version computes it alike. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0
  }
  return value
}
