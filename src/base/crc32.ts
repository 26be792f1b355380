/**
 * CRC-32 as zlib and Ethernet have it (reflected, polynomial 0xEDB88320), eight bytes a step
 * ("slicing by eight", Kounavis and Berry 2005).
 */

const slices = 8

const tables: readonly Uint32Array[] = makeTables()

function makeTables(): Uint32Array[] {
  const made = Array.from({ length: slices }, () => new Uint32Array(256))
  const first = made[0] as Uint32Array
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    first[byte] = crc >>> 0
  }
  for (let slice = 1; slice < slices; slice += 1) {
    const before = made[slice - 1] as Uint32Array
    const table = made[slice] as Uint32Array
    for (let byte = 0; byte < 256; byte += 1) {
      const crc = before[byte] as number
      table[byte] = ((crc >>> 8) ^ (first[crc & 0xff] as number)) >>> 0
    }
  }
  return made
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/**
 * The CRC of `bytes`, an integer in [0, 2^32). With `before`, the CRC of bytes already summed, it
 * is the CRC of both one after the other.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  let at = 0
  const length = bytes.length
  // The indexes are in range by construction, which the type of a typed array cannot say: `!`.
  const b = bytes
  for (; at + slices <= length; at += slices) {
    const low = crc ^ (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24))
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[b[at + 4]!]! ^
      t2[b[at + 5]!]! ^
      t1[b[at + 6]!]! ^
      t0[b[at + 7]!]!
  }
  for (; at < length; at += 1) crc = (crc >>> 8) ^ t0[(crc ^ b[at]!) & 0xff]!
  return ~crc >>> 0
}
