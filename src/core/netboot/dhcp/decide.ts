/** One packet in, one decision out (RFC 2131, section 4.3). */
import { assertNever } from '../../../base/assert.ts'
import { uuidFromOption97 } from '../hardware.ts'
import type { Mac, Uuid } from '../hardware.ts'
import { ipv4FromBytes, isHostIn, unspecified } from '../ipv4.ts'
import type { Ipv4 } from '../ipv4.ts'
import { classifyClient } from './client.ts'
import type { Binding, LinkContext, MachineView } from './link.ts'
import { option } from './options.ts'
import type { DhcpPacket } from './packet.ts'
import { addressReply, bootAnswer, nakReply } from './reply.ts'
import type { Reply } from './reply.ts'

export type Decision =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'silence'; readonly reason: Silence }
  /** The machine is new: bind it, then decide again with the binding. */
  | { readonly kind: 'needs-binding'; readonly mac: Mac; readonly uuid: Uuid | undefined }
  /** The client found its address in use by another host (RFC 2131, 4.3.3). */
  | { readonly kind: 'quarantine'; readonly mac: Mac; readonly address: Ipv4 }
  /** A DHCP server that is not ours serves this link. */
  | { readonly kind: 'foreign-server'; readonly server: Ipv4; readonly mac: Mac }

export type Silence =
  | 'not-a-request'
  | 'other-server-chosen'
  | 'unknown-machine'
  | 'no-requested-address'
  | 'off-link'
  | 'no-loader'
  | 'released'
  | 'declined-by-stranger'
  | 'does-not-fit'

const silence = (reason: Silence): Decision => ({ kind: 'silence', reason })

/** Pure: the same packet, link and view give the same decision on every boot node. */
export function decide(packet: DhcpPacket, link: LinkContext, view: MachineView): Decision {
  const server = ipv4FromBytes(packet.options.get(option.serverIdentifier))
  if (server !== undefined && server !== unspecified && !link.servers.includes(server)) {
    return { kind: 'foreign-server', server, mac: packet.mac }
  }
  if (packet.op !== 1) return silence('not-a-request')
  // Another subnet's relay: this link has no addresses that would work there.
  if (packet.giaddr !== unspecified && !isHostIn(link.subnet, packet.giaddr)) {
    return silence('off-link')
  }
  switch (packet.messageType) {
    case 'discover':
      return decideDiscover(packet, link, view)
    case 'request':
      return decideRequest(packet, link, view, server)
    case 'inform':
      // The address is the client's own claim, and the answer goes there: never off the link.
      if (!isHostIn(link.subnet, packet.ciaddr)) return silence('off-link')
      return answerWith('ack', packet, undefined, link, view)
    case 'decline':
      return decideDecline(packet, link, view, server)
    case 'release':
      // The binding stays: the machine gets the same address when it comes back.
      return silence('released')
    case 'offer':
    case 'ack':
    case 'nak':
      return silence('not-a-request')
    default:
      return assertNever(packet.messageType)
  }
}

function decideDiscover(packet: DhcpPacket, link: LinkContext, view: MachineView): Decision {
  // Firmware that cannot be booted gets no address, and an unknown one costs no binding.
  if (bootAnswer(classifyClient(packet.options), packet, view, link) === 'no-loader') {
    return silence('no-loader')
  }
  if (view.binding === undefined || !isHostIn(link.subnet, view.binding.address)) {
    const uuid = uuidFromOption97(packet.options.get(option.clientMachineId))
    return { kind: 'needs-binding', mac: packet.mac, uuid }
  }
  return answerWith('offer', packet, view.binding.address, link, view)
}

/**
 * RFC 2131, 4.3.2. A refusal is sent only where a committed binding says otherwise: servers that
 * refused whatever they did not know cut whole sites off after a failover.
 */
function decideRequest(
  packet: DhcpPacket,
  link: LinkContext,
  view: MachineView,
  server: Ipv4 | undefined,
): Decision {
  if (server !== undefined && server !== link.subnet.address) {
    return silence('other-server-chosen')
  }
  // Without option 54 the client renews, rebinds or has restarted: any boot node may answer.
  const requested = ipv4FromBytes(packet.options.get(option.requestedAddress))
  const asked = packet.ciaddr === unspecified ? requested : packet.ciaddr
  if (asked === undefined || asked === unspecified) return silence('no-requested-address')
  const { binding } = view
  if (binding === undefined) return silence('unknown-machine')
  if (asked !== binding.address || !isHostIn(link.subnet, binding.address)) {
    return refuse(packet, binding, link)
  }
  return answerWith('ack', packet, binding.address, link, view)
}

function refuse(packet: DhcpPacket, binding: Binding, link: LinkContext): Decision {
  // Bound on another link: whoever serves that link knows better than this node.
  if (!isHostIn(link.subnet, binding.address)) return silence('off-link')
  const reply = nakReply(packet, 'this machine is bound to another address', link)
  return reply === undefined ? silence('does-not-fit') : { kind: 'reply', reply }
}

function decideDecline(
  packet: DhcpPacket,
  link: LinkContext,
  view: MachineView,
  server: Ipv4 | undefined,
): Decision {
  if (server !== undefined && server !== link.subnet.address) {
    return silence('other-server-chosen')
  }
  const address = ipv4FromBytes(packet.options.get(option.requestedAddress))
  // Only the address that was given to this machine: nobody may decline another's.
  if (address === undefined || view.binding?.address !== address) {
    return silence('declined-by-stranger')
  }
  return { kind: 'quarantine', mac: packet.mac, address }
}

function answerWith(
  message: 'offer' | 'ack',
  packet: DhcpPacket,
  yiaddr: Ipv4 | undefined,
  link: LinkContext,
  view: MachineView,
): Decision {
  const answer = bootAnswer(classifyClient(packet.options), packet, view, link)
  if (answer === 'no-loader') return silence('no-loader')
  const reply = addressReply(message, packet, yiaddr, answer, view, link)
  return reply === undefined ? silence('does-not-fit') : { kind: 'reply', reply }
}
