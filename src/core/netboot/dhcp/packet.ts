/** A DHCP message as bytes and as a value (RFC 2131, section 2). */
import { assert } from '../../../base/assert.ts'
import { utf8 } from '../../../base/bytes.ts'
import { macFromBytes } from '../hardware.ts'
import type { Mac } from '../hardware.ts'
import type { Ipv4 } from '../ipv4.ts'
import { messageType, option, readOptions, writeOptions } from './options.ts'
import type { Options } from './options.ts'

export interface DhcpPacket {
  /** 1 from a client, 2 from a server. */
  readonly op: 1 | 2
  readonly hops: number
  readonly xid: number
  readonly secs: number
  readonly flags: number
  readonly ciaddr: Ipv4
  readonly yiaddr: Ipv4
  readonly siaddr: Ipv4
  readonly giaddr: Ipv4
  /** All 16 bytes of the field: replies copy even what is after the MAC. */
  readonly chaddr: Uint8Array
  readonly mac: Mac
  readonly messageType: MessageType
  readonly options: Options
}

export type MessageType = keyof typeof messageType

export type Malformed =
  | 'too-short'
  | 'too-long'
  | 'not-dhcp'
  | 'not-ethernet'
  | 'bad-mac'
  | 'bad-options'
  | 'no-message-type'

export type Decoded =
  | { readonly kind: 'packet'; readonly packet: DhcpPacket }
  | { readonly kind: 'malformed'; readonly reason: Malformed }

const fixedBytes = 236
const cookie = 0x6382_5363
/** What a standard Ethernet frame can carry; nobody sends more, and more is never read. */
export const packetBytesMax = 1472
/** Relays drop shorter BOOTP messages (RFC 1542, 2.1). */
const packetBytesMin = 300

const fileOffset = 108
const fileBytes = 128
const snameOffset = 44
const snameBytes = 64

/** Never throws: any bytes are a packet or malformed, with the reason to count. */
export function decodePacket(bytes: Uint8Array): Decoded {
  const malformed = (reason: Malformed): Decoded => ({ kind: 'malformed', reason })
  if (bytes.length < fixedBytes + 4) return malformed('too-short')
  if (bytes.length > packetBytesMax) return malformed('too-long')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const op = bytes[0]
  if ((op !== 1 && op !== 2) || view.getUint32(fixedBytes) !== cookie) return malformed('not-dhcp')
  if (bytes[1] !== 1 || bytes[2] !== 6) return malformed('not-ethernet')
  const mac = macFromBytes(bytes.subarray(28, 34))
  if (mac === undefined) return malformed('bad-mac')
  const options = decodeOptions(bytes)
  if (options === undefined) return malformed('bad-options')
  const type = messageTypeOf(options)
  if (type === undefined) return malformed('no-message-type')
  const address = (at: number): Ipv4 => view.getUint32(at) as Ipv4
  return {
    kind: 'packet',
    packet: {
      op,
      hops: bytes[3] as number,
      xid: view.getUint32(4),
      secs: view.getUint16(8),
      flags: view.getUint16(10),
      ciaddr: address(12),
      yiaddr: address(16),
      siaddr: address(20),
      giaddr: address(24),
      chaddr: bytes.slice(28, 44),
      mac,
      messageType: type,
      options,
    },
  }
}

/** The options field and, where option 52 says so, `file` and `sname` as more of it. */
function decodeOptions(bytes: Uint8Array): Options | undefined {
  const options = new Map<number, Uint8Array>()
  if (!readOptions(bytes.subarray(fixedBytes + 4), options)) return undefined
  const overload = options.get(option.overload)
  if (overload === undefined) return options
  const fields = overload.length === 1 ? (overload[0] as number) : 0
  if (fields < 1 || fields > 3) return undefined
  const file = bytes.subarray(fileOffset, fileOffset + fileBytes)
  const sname = bytes.subarray(snameOffset, snameOffset + snameBytes)
  if ((fields & 1) !== 0 && !readOptions(file, options)) return undefined
  if ((fields & 2) !== 0 && !readOptions(sname, options)) return undefined
  return options
}

function messageTypeOf(options: Options): MessageType | undefined {
  const value = options.get(option.messageType)
  if (value === undefined || value.length !== 1) return undefined
  for (const [name, code] of Object.entries(messageType)) {
    if (code === value[0]) return name as MessageType
  }
  return undefined
}

export interface PacketFields {
  readonly op: 1 | 2
  readonly xid: number
  readonly flags: number
  readonly ciaddr: Ipv4
  readonly yiaddr: Ipv4
  readonly siaddr: Ipv4
  readonly giaddr: Ipv4
  readonly chaddr: Uint8Array
  /** ASCII, at most 63 characters. */
  readonly sname: string
  /** ASCII, at most 127 characters. */
  readonly file: string
  /** In the order in which they are sent. */
  readonly options: readonly (readonly [number, Uint8Array])[]
}

/**
 * The message, zero-padded after the end option to the 300 bytes that relays insist on. Padding
 * never stands between options: old Raspberry Pi firmware drops such packets.
 */
export function encodePacket(fields: PacketFields): Uint8Array {
  const file = utf8(fields.file)
  const sname = utf8(fields.sname)
  assert(file.length < fileBytes, 'a boot file name leaves room for its NUL')
  assert(sname.length < snameBytes, 'a server name leaves room for its NUL')
  assert(fields.chaddr.length === 16, 'chaddr is copied whole')
  const options = writeOptions(fields.options)
  const bytes = new Uint8Array(Math.max(packetBytesMin, fixedBytes + 4 + options.length))
  const view = new DataView(bytes.buffer)
  bytes.set([fields.op, 1, 6, 0])
  view.setUint32(4, fields.xid)
  view.setUint16(10, fields.flags)
  view.setUint32(12, fields.ciaddr)
  view.setUint32(16, fields.yiaddr)
  view.setUint32(20, fields.siaddr)
  view.setUint32(24, fields.giaddr)
  bytes.set(fields.chaddr, 28)
  bytes.set(sname, snameOffset)
  bytes.set(file, fileOffset)
  view.setUint32(fixedBytes, cookie)
  bytes.set(options, fixedBytes + 4)
  return bytes
}
