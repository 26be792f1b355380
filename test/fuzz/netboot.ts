/** Packets to start from, and ways to damage them. */
import { concat, utf8 } from '../../src/base/bytes.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import { biosRom, ip, ipxe, ovmf, ovmfHttp, request } from '../core/netboot/clients.ts'
import { requested, server, udhcpc } from '../core/netboot/clients.ts'

export const dhcpSamples: readonly Uint8Array[] = [
  ...[biosRom, ovmf, ovmfHttp, ipxe, udhcpc].flatMap((client) => [
    request({ type: 'discover', client }),
    request({ type: 'request', client, more: [requested('10.77.0.150'), server('10.77.0.10')] }),
  ]),
  request({ type: 'request', client: udhcpc, ciaddr: ip('10.77.0.150') }),
  request({ type: 'request', client: udhcpc, more: [requested('10.77.0.151')] }),
  request({ type: 'inform', client: udhcpc, ciaddr: ip('10.77.0.99') }),
  request({ type: 'decline', more: [requested('10.77.0.150'), server('10.77.0.10')] }),
  request({ type: 'release', ciaddr: ip('10.77.0.150') }),
]

export const tftpSamples: readonly Uint8Array[] = [
  concat([new Uint8Array([0, 1]), utf8('undionly.kpxe\0octet\0')]),
  concat([
    new Uint8Array([0, 1]),
    utf8('/undionly.kpxe\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0'),
  ]),
  concat([new Uint8Array([0, 2]), utf8('undionly.kpxe\0octet\0')]),
  ...[0, 1, 2, 3, 4].map((block) => new Uint8Array([0, 4, 0, block])),
  new Uint8Array([0, 3, 0, 1, 1, 2, 3]),
  concat([new Uint8Array([0, 5, 0, 8]), utf8('User aborted\0')]),
  new Uint8Array([0, 6, 0]),
]

/** A sample as it is, changed, cut, lengthened or spliced; or noise. Never longer than 2 KiB. */
export function mutate(random: SeededRandom, samples: readonly Uint8Array[]): Uint8Array {
  if (random.chance(0.05)) return random.bytes(random.integer(0, 1600))
  let bytes: Uint8Array = random.pick(samples).slice()
  for (let changes = random.integer(0, 6); changes > 0; changes -= 1) {
    bytes = change(random, bytes, samples)
  }
  return bytes.subarray(0, 2048)
}

function change(
  random: SeededRandom,
  bytes: Uint8Array,
  samples: readonly Uint8Array[],
): Uint8Array {
  const at = random.integer(0, bytes.length)
  switch (random.integer(0, 4)) {
    case 0:
      return bytes.slice(0, at)
    case 1:
      return concat([bytes, random.bytes(random.integer(0, 80))])
    case 2: {
      const other = random.pick(samples)
      return concat([bytes.subarray(0, at), other.subarray(Math.min(at, other.length))])
    }
    default: {
      // Mostly among the options, where the structure is.
      const from = bytes.length > 240 && random.chance(0.8) ? 240 : 0
      if (bytes.length > from) {
        const extremes = [0, 1, 2, 4, 52, 53, 54, 127, 254, 255]
        const value = random.chance(0.5) ? random.pick(extremes) : random.integer(0, 255)
        bytes[random.integer(from, Math.min(bytes.length - 1, from + 80))] = value
      }
      return bytes
    }
  }
}
