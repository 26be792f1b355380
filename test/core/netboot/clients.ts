/** Requests as real clients send them, as far as a server can see. */
import { fromHex, utf8 } from '../../../src/base/bytes.ts'
import { messageType, option } from '../../../src/core/netboot/dhcp/options.ts'
import { decodePacket, encodePacket } from '../../../src/core/netboot/dhcp/packet.ts'
import type { DhcpPacket, MessageType } from '../../../src/core/netboot/dhcp/packet.ts'
import type { LinkContext, MachineView } from '../../../src/core/netboot/dhcp/link.ts'
import type { Mac, Uuid } from '../../../src/core/netboot/hardware.ts'
import { ipv4ToBytes, parseIpv4, unspecified } from '../../../src/core/netboot/ipv4.ts'
import type { Ipv4 } from '../../../src/core/netboot/ipv4.ts'
import { debianLoaders } from '../../../src/core/netboot/profiles/profile.ts'

export const ip = (text: string): Ipv4 => {
  const address = parseIpv4(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}

export const mac = '52:54:00:12:34:56' as Mac
export const uuid = 'c0ffee00112233445566778899aabbcc' as Uuid

export const link: LinkContext = {
  subnet: { address: ip('10.77.0.10'), prefixLength: 24 },
  router: ip('10.77.0.1'),
  nameServers: [ip('10.77.0.2'), ip('10.77.0.3')],
  timeServers: [],
  leaseSeconds: 3600,
  httpPort: 7380,
  servers: [ip('10.77.0.10'), ip('10.77.0.11')],
}

export const unbound: MachineView = {
  binding: undefined,
  hostname: undefined,
  loaders: debianLoaders,
}
export const bound: MachineView = {
  ...unbound,
  binding: { mac, uuid, address: ip('10.77.0.150') },
}

type OptionList = readonly (readonly [number, Uint8Array])[]

const option97 = fromHex(`00${uuid}`)
const pxe = (architecture: number, name: string): OptionList => [
  [option.vendorClass, utf8(`PXEClient:Arch:${String(architecture).padStart(5, '0')}:${name}`)],
  [option.clientArchitecture, new Uint8Array([architecture >> 8, architecture & 0xff])],
  [option.clientMachineId, option97],
]

export const biosRom = pxe(0, 'UNDI:002001')
/** OVMF says that it can take 65280 bytes. */
export const ovmf: OptionList = [
  ...pxe(7, 'UNDI:003001'),
  [option.maximumMessageSize, new Uint8Array([0xff, 0x00])],
]
export const ovmfHttp: OptionList = [
  [option.vendorClass, utf8('HTTPClient:Arch:00016:UNDI:003001')],
  [option.clientArchitecture, new Uint8Array([0, 16])],
  [option.clientMachineId, option97],
]
/** Features as Debian's undionly.kpxe lists them: HTTP (19) and bzImage (24) among others. */
export const ipxe: OptionList = [
  ...pxe(0, 'UNDI:002001'),
  [option.userClass, utf8('iPXE')],
  [option.ipxe, fromHex('b10501100041001301011801012201011701012701011901012b0100')],
]
export const udhcpc: OptionList = [
  [option.clientIdentifier, fromHex('01525400123456')],
  [option.vendorClass, utf8('udhcp 1.35.0')],
  [option.maximumMessageSize, new Uint8Array([0x02, 0x40])],
]

export interface Asking {
  readonly type: MessageType
  readonly client?: OptionList
  readonly more?: OptionList
  readonly ciaddr?: Ipv4
  readonly giaddr?: Ipv4
  readonly mac?: Mac
}

export function request(asking: Asking): Uint8Array {
  const chaddr = new Uint8Array(16)
  chaddr.set(fromHex((asking.mac ?? mac).replace(/:/g, '')))
  return encodePacket({
    op: 1,
    xid: 0xdeadbeef,
    flags: 0,
    ciaddr: asking.ciaddr ?? unspecified,
    yiaddr: unspecified,
    siaddr: unspecified,
    giaddr: asking.giaddr ?? unspecified,
    chaddr,
    sname: '',
    file: '',
    options: [
      [option.messageType, new Uint8Array([messageType[asking.type]])],
      ...(asking.client ?? []),
      ...(asking.more ?? []),
    ],
  })
}

export const parse = (bytes: Uint8Array): DhcpPacket => {
  const decoded = decodePacket(bytes)
  if (decoded.kind !== 'packet') throw new Error(`malformed: ${decoded.reason}`)
  return decoded.packet
}

export const requested = (address: string): readonly [number, Uint8Array] => [
  option.requestedAddress,
  ipv4ToBytes(ip(address)),
]
export const server = (address: string): readonly [number, Uint8Array] => [
  option.serverIdentifier,
  ipv4ToBytes(ip(address)),
]
