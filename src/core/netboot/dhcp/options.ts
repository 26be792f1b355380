/** DHCP option numbers and the walk over option fields (RFC 2132, RFC 3396, RFC 4578). */
import { concat } from '../../../base/bytes.ts'

export const option = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  domainNameServer: 6,
  hostName: 12,
  broadcastAddress: 28,
  ntpServer: 42,
  vendorInformation: 43,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  message: 56,
  maximumMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientIdentifier: 61,
  bootFile: 67,
  userClass: 77,
  relayAgent: 82,
  clientArchitecture: 93,
  clientMachineId: 97,
  ipxe: 175,
  end: 255,
} as const

export const messageType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const

export type Options = ReadonlyMap<number, Uint8Array>

/**
 * Adds the options of `field` to `into`; false when one is cut short. An option that comes more
 * than once is one value in pieces (RFC 3396). A field without an end option is accepted: some
 * ROMs leave it out, and every server in the field lets them.
 */
export function readOptions(field: Uint8Array, into: Map<number, Uint8Array>): boolean {
  let at = 0
  while (at < field.length) {
    const code = field[at] as number
    if (code === option.end) return true
    at += 1
    if (code === option.pad) continue
    const length = field[at]
    if (length === undefined || at + 1 + length > field.length) return false
    const value = field.subarray(at + 1, at + 1 + length)
    const before = into.get(code)
    into.set(code, before === undefined ? value : concat([before, value]))
    at += 1 + length
  }
  return true
}

/** The sub-options of an encapsulated option (43, 175); undefined when it is malformed. */
export function readEncapsulated(value: Uint8Array): Options | undefined {
  const options = new Map<number, Uint8Array>()
  return readOptions(value, options) ? options : undefined
}

/** Options in the order given, without padding between them, ended by 255. */
export function writeOptions(options: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [code, value] of options) {
    // RFC 3396: a value longer than one option can say is cut into pieces.
    for (let at = 0; at === 0 || at < value.length; at += 255) {
      const piece = value.subarray(at, at + 255)
      parts.push(new Uint8Array([code, piece.length]), piece)
    }
  }
  parts.push(new Uint8Array([option.end]))
  return concat(parts)
}

export const uint32Bytes = (value: number): Uint8Array =>
  new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value])
