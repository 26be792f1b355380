/**
 * What each kind of client is told. The table and its reasons are measurements of firmware:
 * SeaBIOS with iPXE, OVMF, and the bug reports of those who served others before us.
 */
import { concat, utf8 } from '../../../base/bytes.ts'
import { assert, assertNever } from '../../../base/assert.ts'
import { formatUuid, uuidFromOption97 } from '../hardware.ts'
import { broadcastAddress, formatIpv4, ipv4ToBytes, limitedBroadcast } from '../ipv4.ts'
import { netmask, unspecified } from '../ipv4.ts'
import type { Ipv4 } from '../ipv4.ts'
import type { DhcpClient } from './client.ts'
import type { LinkContext, MachineView } from './link.ts'
import { messageType, option, uint32Bytes } from './options.ts'
import { encodePacket, packetBytesMax } from './packet.ts'
import type { DhcpPacket } from './packet.ts'

export interface Destination {
  readonly address: Ipv4
  readonly port: number
}

export interface Reply {
  readonly message: 'offer' | 'ack' | 'nak'
  readonly bytes: Uint8Array
  readonly to: Destination
}

/** What a reply says beside the addresses: undefined when there is nothing to boot with. */
interface BootAnswer {
  readonly file: string
  readonly vendorClass: 'PXEClient' | 'HTTPClient' | undefined
  readonly vendorInformation: Uint8Array | undefined
  readonly ipxe: Uint8Array | undefined
  /** `file` again as option 67, which UEFI HTTP reads first. */
  readonly repeatsFile: boolean
}

export type Answer = BootAnswer | 'no-boot' | 'no-loader'

/** PXE discovery control: use the boot file of this offer, ask no boot server (PXE 2.1, 2.4). */
const useBootFileAsGiven = new Uint8Array([6, 1, 8, 255])
/** iPXE option 176 "no-pxedhcp": saves the 3 s in which it waits for a proxy's offer. */
const waitForNoProxy = new Uint8Array([0xb0, 1, 1])

const clientPort = 68
const serverPort = 67
const broadcastFlag = 0x8000
const udpAndIpHeaderBytes = 28

export function bootAnswer(
  client: DhcpClient,
  packet: DhcpPacket,
  view: MachineView,
  link: LinkContext,
): Answer {
  const base = `http://${formatIpv4(link.subnet.address)}:${link.httpPort}/boot/`
  switch (client.kind) {
    case 'os':
      return 'no-boot'
    case 'unknown-firmware':
      return 'no-loader'
    case 'pxe': {
      const file = view.loaders[client.platform]
      if (file === undefined) return 'no-loader'
      return {
        file,
        // Class and option 43 go together: with the class alone OVMF takes the offer for one
        // without an address, asks port 4011, and ends in PXE-E16.
        vendorClass: 'PXEClient',
        vendorInformation: useBootFileAsGiven,
        ipxe: undefined,
        repeatsFile: false,
      }
    }
    case 'uefi-http': {
      const file = view.loaders[client.platform]
      if (file === undefined) return 'no-loader'
      const vendorClass = 'HTTPClient'
      const rest = { vendorInformation: undefined, ipxe: undefined, repeatsFile: true }
      return { file: base + file, vendorClass, ...rest }
    }
    case 'ipxe': {
      const uuid = uuidFromOption97(packet.options.get(option.clientMachineId))
      const query = `mac=${packet.mac}${uuid === undefined ? '' : `&uuid=${formatUuid(uuid)}`}`
      return {
        file: `${base}script.ipxe?${query}`,
        vendorClass: undefined,
        vendorInformation: undefined,
        ipxe: waitForNoProxy,
        repeatsFile: false,
      }
    }
    default:
      return assertNever(client)
  }
}

/**
 * An OFFER or an ACK. `yiaddr` undefined answers INFORM: no address, no lease times. Undefined
 * when the client echoes so much that the answer would not fit what it can receive.
 */
export function addressReply(
  message: 'offer' | 'ack',
  packet: DhcpPacket,
  yiaddr: Ipv4 | undefined,
  answer: BootAnswer | 'no-boot',
  view: MachineView,
  link: LinkContext,
): Reply | undefined {
  const boot = answer === 'no-boot' ? undefined : answer
  const own = link.subnet.address
  const ciaddr = message === 'ack' ? packet.ciaddr : unspecified
  const bytes = encodePacket({
    ...echoed(packet),
    ciaddr,
    yiaddr: yiaddr ?? unspecified,
    // EDK2 prefers siaddr and reads option 54 unchecked when it is zero.
    siaddr: boot === undefined ? unspecified : own,
    sname: boot === undefined ? '' : formatIpv4(own),
    file: boot?.file ?? '',
    options: [
      ...header(message, own),
      ...(yiaddr === undefined ? [] : leaseOptions(link.leaseSeconds)),
      ...networkOptions(view, link),
      ...bootOptions(packet, boot),
      ...echoedOptions(packet),
      // Ended by a NUL and behind everything but the relay's option: EDK2 writes a NUL after it.
      ...(boot?.repeatsFile === true ? [[option.bootFile, utf8(`${boot.file}\0`)] as const] : []),
      ...relayOption(packet),
    ],
  })
  if (bytes.length > sizeMax(packet)) return undefined
  return { message, bytes, to: destination({ giaddr: packet.giaddr, ciaddr }) }
}

/** A refusal, always broadcast: the client does not own the address it asked with. */
export function nakReply(packet: DhcpPacket, reason: string, link: LinkContext): Reply | undefined {
  const bytes = encodePacket({
    ...echoed(packet),
    ciaddr: unspecified,
    yiaddr: unspecified,
    siaddr: unspecified,
    sname: '',
    file: '',
    options: [
      ...header('nak', link.subnet.address),
      [option.message, utf8(reason)],
      ...echoedOptions(packet),
      ...relayOption(packet),
    ],
  })
  if (bytes.length > sizeMax(packet)) return undefined
  return { message: 'nak', bytes, to: destination({ giaddr: packet.giaddr, ciaddr: unspecified }) }
}

type OptionList = readonly (readonly [number, Uint8Array])[]

const header = (message: keyof typeof messageType, server: Ipv4): OptionList => [
  [option.messageType, new Uint8Array([messageType[message]])],
  [option.serverIdentifier, ipv4ToBytes(server)],
]

/** T1 is half of the lease and T2 seven eighths (RFC 2131, 4.4.5). */
function leaseOptions(leaseSeconds: number): OptionList {
  assert(leaseSeconds >= 60 && leaseSeconds < 0xffff_ffff, 'a lease lasts a minute or more')
  return [
    [option.leaseTime, uint32Bytes(leaseSeconds)],
    [option.renewalTime, uint32Bytes(Math.floor(leaseSeconds / 2))],
    [option.rebindingTime, uint32Bytes(Math.floor((leaseSeconds * 7) / 8))],
  ]
}

function networkOptions(view: MachineView, link: LinkContext): OptionList {
  const list = (addresses: readonly Ipv4[]): Uint8Array => concat(addresses.map(ipv4ToBytes))
  const { router, nameServers, timeServers, subnet } = link
  return [
    [option.subnetMask, ipv4ToBytes(netmask(subnet.prefixLength))],
    ...(router === undefined ? [] : [[option.router, ipv4ToBytes(router)] as const]),
    ...(nameServers.length === 0 ? [] : [[option.domainNameServer, list(nameServers)] as const]),
    ...(view.hostname === undefined ? [] : [[option.hostName, utf8(view.hostname)] as const]),
    [option.broadcastAddress, ipv4ToBytes(broadcastAddress(subnet))],
    ...(timeServers.length === 0 ? [] : [[option.ntpServer, list(timeServers)] as const]),
  ]
}

function bootOptions(packet: DhcpPacket, boot: BootAnswer | undefined): OptionList {
  if (boot === undefined) return []
  const machineId = packet.options.get(option.clientMachineId)
  const { vendorClass, vendorInformation, ipxe } = boot
  return [
    ...(vendorClass === undefined ? [] : [[option.vendorClass, utf8(vendorClass)] as const]),
    ...(vendorInformation === undefined
      ? []
      : [[option.vendorInformation, vendorInformation] as const]),
    ...(machineId?.length === 17 && machineId[0] === 0
      ? [[option.clientMachineId, machineId] as const]
      : []),
    ...(ipxe === undefined ? [] : [[option.ipxe, ipxe] as const]),
  ]
}

/** RFC 6842: a client identifier comes back as it was. */
function echoedOptions(packet: DhcpPacket): OptionList {
  const identifier = packet.options.get(option.clientIdentifier)
  return identifier === undefined ? [] : [[option.clientIdentifier, identifier]]
}

/** RFC 3046, 2.2: the relay's option comes back last. */
function relayOption(packet: DhcpPacket): OptionList {
  const relay = packet.options.get(option.relayAgent)
  return relay === undefined ? [] : [[option.relayAgent, relay]]
}

/**
 * Plain Node can neither put an entry into the ARP table nor send raw frames, so a client without
 * an address is answered by broadcast and told so by the flag. Every client tested accepts it.
 */
const echoed = (packet: DhcpPacket) => ({
  op: 2 as const,
  xid: packet.xid,
  flags: packet.flags | broadcastFlag,
  giaddr: packet.giaddr,
  chaddr: packet.chaddr,
})

/** RFC 2131, 4.1. */
function destination(packet: Pick<DhcpPacket, 'giaddr' | 'ciaddr'>): Destination {
  if (packet.giaddr !== unspecified) return { address: packet.giaddr, port: serverPort }
  if (packet.ciaddr !== unspecified) return { address: packet.ciaddr, port: clientPort }
  return { address: limitedBroadcast, port: clientPort }
}

/**
 * Option 57 counts the IP datagram. It is clamped from below because 576 is what every host must
 * take, and from above because OVMF says 65280 and no link carries that.
 */
function sizeMax(packet: DhcpPacket): number {
  const value = packet.options.get(option.maximumMessageSize)
  const told = value?.length === 2 ? ((value[0] as number) << 8) | (value[1] as number) : 576
  return Math.min(Math.max(told, 576), packetBytesMax) - udpAndIpHeaderBytes
}
