import t from 'tap'
import { fromHex, fromUtf8, toHex, utf8 } from '../../../src/base/bytes.ts'
import { decide } from '../../../src/core/netboot/dhcp/decide.ts'
import type { Decision } from '../../../src/core/netboot/dhcp/decide.ts'
import type { MachineView } from '../../../src/core/netboot/dhcp/link.ts'
import { option } from '../../../src/core/netboot/dhcp/options.ts'
import { decodePacket } from '../../../src/core/netboot/dhcp/packet.ts'
import { formatIpv4, ipv4FromBytes } from '../../../src/core/netboot/ipv4.ts'
import { biosRom, bound, ip, ipxe, link, mac, ovmf, ovmfHttp, parse } from './clients.ts'
import { request, requested, server, udhcpc, unbound, uuid } from './clients.ts'
import type { Asking } from './clients.ts'

const ask = (asking: Asking, view: MachineView = bound): Decision =>
  decide(parse(request(asking)), link, view)

interface Seen {
  readonly type: string
  readonly to: string
  readonly yiaddr: string
  readonly siaddr: string
  readonly file: string
  readonly order: number[]
  readonly bytes: Uint8Array
  text(code: number): string | undefined
  hex(code: number): string | undefined
}

/** The reply as a client reads it. */
function seen(decision: Decision): Seen {
  if (decision.kind !== 'reply') throw new Error(`no reply: ${JSON.stringify(decision)}`)
  const { bytes, to } = decision.reply
  const packet = parse(bytes)
  const field = bytes.subarray(108, 236)
  const hex = (code: number): string | undefined => {
    const value = packet.options.get(code)
    return value === undefined ? undefined : toHex(value)
  }
  return {
    type: packet.messageType,
    to: `${formatIpv4(to.address)}:${to.port}`,
    yiaddr: formatIpv4(packet.yiaddr),
    siaddr: formatIpv4(packet.siaddr),
    file: fromUtf8(field.subarray(0, field.indexOf(0))),
    order: [...packet.options.keys()],
    bytes,
    text: (code) => {
      const value = packet.options.get(code)
      return value === undefined ? undefined : fromUtf8(value)
    },
    hex,
  }
}

t.test('every reply follows the rules that firmware and relays insist on', (t) => {
  const offer = seen(ask({ type: 'discover', client: biosRom }))
  t.equal(offer.bytes[0], 2)
  t.equal(toHex(offer.bytes.subarray(4, 8)), 'deadbeef', 'xid')
  t.equal((offer.bytes[10] as number) & 0x80, 0x80, 'the broadcast flag is set')
  t.equal(toHex(offer.bytes.subarray(28, 44)), '52540012345600000000000000000000', 'chaddr')
  t.ok(offer.bytes.length >= 300, 'relays drop shorter ones')
  const end = offer.bytes.lastIndexOf(255)
  t.ok(end > 240 && offer.bytes.subarray(end + 1).every((byte) => byte === 0), 'zeros after 255')
  t.equal(offer.siaddr, '10.77.0.10')
  t.equal(offer.hex(option.serverIdentifier), '0a4d000a', 'option 54 is siaddr')
  t.equal(offer.to, '255.255.255.255:68')
  t.same(offer.order, [53, 54, 51, 58, 59, 1, 3, 6, 28, 60, 43, 97])
  t.end()
})

t.test('a BIOS ROM is sent to undionly.kpxe by TFTP', (t) => {
  for (const [asking, type] of [
    [{ type: 'discover', client: biosRom }, 'offer'],
    [
      {
        type: 'request',
        client: biosRom,
        more: [requested('10.77.0.150'), server('10.77.0.10')],
      },
      'ack',
    ],
  ] as const) {
    const reply = seen(ask(asking))
    t.equal(reply.type, type)
    t.equal(reply.yiaddr, '10.77.0.150')
    t.equal(reply.file, 'undionly.kpxe')
    t.equal(reply.text(option.vendorClass), 'PXEClient')
    t.equal(reply.hex(option.vendorInformation), '060108ff', 'no other boot server is asked')
    t.equal(reply.hex(option.clientMachineId), `00${uuid}`)
    t.equal(fromUtf8(reply.bytes.subarray(44, 54)), '10.77.0.10', 'sname')
    t.equal(reply.hex(option.leaseTime), '00000e10')
    t.equal(reply.hex(option.renewalTime), '00000708')
    t.equal(reply.hex(option.rebindingTime), '00000c4e')
    t.equal(reply.hex(option.subnetMask), 'ffffff00')
    t.equal(reply.hex(option.domainNameServer), '0a4d00020a4d0003')
    t.equal(reply.hex(option.broadcastAddress), '0a4d00ff')
  }
  t.end()
})

t.test('UEFI PXE of x64, which says 7 or 9, is sent to snponly.efi', (t) => {
  for (const architecture of [7, 9]) {
    const client = ovmf.map(([code, value]) =>
      code === option.clientArchitecture
        ? ([code, new Uint8Array([0, architecture])] as const)
        : ([code, value] as const),
    )
    const offer = seen(ask({ type: 'discover', client }))
    t.equal(offer.file, 'snponly.efi')
    t.equal(offer.hex(option.vendorInformation), '060108ff', 'else OVMF ends in PXE-E16')
  }
  t.end()
})

t.test('UEFI HTTP gets an absolute URL, last and ended by a NUL', (t) => {
  const offer = seen(ask({ type: 'discover', client: ovmfHttp }))
  t.equal(offer.text(option.vendorClass), 'HTTPClient')
  t.equal(offer.file, 'http://10.77.0.10:7380/boot/snponly.efi')
  t.equal(offer.text(option.bootFile), `${offer.file}\0`)
  t.equal(offer.order.at(-1), option.bootFile)
  t.equal(offer.hex(option.vendorInformation), undefined)
  t.end()
})

t.test('iPXE gets the script and is told to wait for no proxy', (t) => {
  const raw = ipxe
  const framed = ipxe.map(([code, value]) =>
    code === option.userClass ? ([code, utf8('\x04iPXE')] as const) : ([code, value] as const),
  )
  const silentAboutFeatures = ipxe.filter(([code]) => code !== option.ipxe)
  for (const client of [raw, framed, silentAboutFeatures]) {
    const offer = seen(ask({ type: 'discover', client }))
    t.equal(
      offer.file,
      'http://10.77.0.10:7380/boot/script.ipxe?mac=52:54:00:12:34:56' +
        '&uuid=c0ffee00-1122-3344-5566-778899aabbcc',
    )
    t.equal(offer.hex(option.vendorClass), undefined, 'class PXEClient would mean more waiting')
    t.equal(offer.hex(option.ipxe), 'b00101')
  }
  t.end()
})

t.test('an iPXE in ROM that knows no HTTP is chained into ours', (t) => {
  const client = ipxe.map(([code, value]) =>
    code === option.ipxe ? ([code, fromHex('180101')] as const) : ([code, value] as const),
  )
  t.equal(seen(ask({ type: 'discover', client })).file, 'undionly.kpxe')
  t.end()
})

t.test('an operating system, or a phone, gets an address and nothing to boot', (t) => {
  const view = { ...bound, hostname: 'm1' }
  const offer = seen(ask({ type: 'discover', client: udhcpc }, view))
  t.same(offer.order, [53, 54, 51, 58, 59, 1, 3, 6, 12, 28, 61])
  t.equal(offer.siaddr, '0.0.0.0')
  t.equal(offer.file, '')
  t.equal(offer.hex(option.clientIdentifier), '01525400123456', 'RFC 6842')
  const posing = seen(ask({ type: 'discover', client: [[option.vendorClass, utf8('PXEClient')]] }))
  t.equal(posing.file, '', 'a vendor class without option 93 is no firmware')
  t.end()
})

t.test('firmware that no loader is built for is left alone', (t) => {
  for (const architecture of [11, 31]) {
    const client = biosRom.map(([code, value]) =>
      code === option.clientArchitecture
        ? ([code, new Uint8Array([0, architecture])] as const)
        : ([code, value] as const),
    )
    t.same(ask({ type: 'discover', client }, unbound), { kind: 'silence', reason: 'no-loader' })
  }
  t.end()
})

t.test('a new machine is bound before it is answered', (t) => {
  t.same(ask({ type: 'discover', client: biosRom }, unbound), {
    kind: 'needs-binding',
    mac,
    uuid,
  })
  const elsewhere = { ...bound, binding: { mac, uuid, address: ip('10.99.0.5') } }
  t.equal(ask({ type: 'discover' }, elsewhere).kind, 'needs-binding', 'it has changed links')
  t.end()
})

t.test('REQUEST', (t) => {
  const select = (asking: Omit<Asking, 'type'>, view = bound): Decision =>
    ask({ type: 'request', client: udhcpc, ...asking }, view)
  const story: readonly [string, Decision, string][] = [
    [
      'selecting this node: ACK',
      select({ more: [requested('10.77.0.150'), server('10.77.0.10')] }),
      'ack 255.255.255.255:68',
    ],
    [
      'selecting another of our nodes: that one answers',
      select({ more: [requested('10.77.0.150'), server('10.77.0.11')] }),
      'other-server-chosen',
    ],
    [
      'selecting this node with an address it never offered: NAK',
      select({ more: [requested('10.77.0.77'), server('10.77.0.10')] }),
      'nak 255.255.255.255:68',
    ],
    [
      'after a restart, with its own address: any node says ACK',
      select({ more: [requested('10.77.0.150')] }),
      'ack 255.255.255.255:68',
    ],
    [
      'after a restart, with another address: the binding contradicts, NAK',
      select({ more: [requested('10.77.0.151')] }),
      'nak 255.255.255.255:68',
    ],
    [
      'after a restart, of a machine we know nothing of: silence, never a blanket NAK',
      select({ more: [requested('10.77.0.151')] }, unbound),
      'unknown-machine',
    ],
    ['renewing: unicast', select({ ciaddr: ip('10.77.0.150') }), 'ack 10.77.0.150:68'],
    [
      'renewing an address that is bound to no one we know: silence',
      select({ ciaddr: ip('10.77.0.150') }, unbound),
      'unknown-machine',
    ],
    [
      'renewing an address that the binding contradicts: NAK, by broadcast',
      select({ ciaddr: ip('10.77.0.160') }),
      'nak 255.255.255.255:68',
    ],
    ['asking for nothing', select({}), 'no-requested-address'],
    [
      'through a relay on the link: back to the relay',
      select({ more: [requested('10.77.0.150')], giaddr: ip('10.77.0.4') }),
      'ack 10.77.0.4:67',
    ],
    [
      'through a relay of another subnet: silence',
      select({ more: [requested('10.77.0.150')], giaddr: ip('10.78.0.4') }),
      'off-link',
    ],
  ]
  for (const [title, decision, expected] of story) {
    const told =
      decision.kind === 'reply'
        ? `${decision.reply.message} ${seen(decision).to}`
        : decision.kind === 'silence'
          ? decision.reason
          : decision.kind
    t.equal(told, expected, title)
  }
  t.end()
})

t.test('a NAK carries no address', (t) => {
  const nak = seen(ask({ type: 'request', more: [requested('10.77.0.151')] }))
  t.equal(nak.type, 'nak')
  t.equal(nak.yiaddr, '0.0.0.0')
  t.same(nak.order, [53, 54, 56])
  t.end()
})

t.test('INFORM is answered without an address or a lease', (t) => {
  const reply = seen(ask({ type: 'inform', client: udhcpc, ciaddr: ip('10.77.0.99') }, unbound))
  t.equal(reply.type, 'ack')
  t.equal(reply.yiaddr, '0.0.0.0')
  t.equal(reply.hex(option.leaseTime), undefined)
  t.equal(reply.to, '10.77.0.99:68')
  const elsewhere = ask({ type: 'inform', ciaddr: ip('192.0.2.1') }, unbound)
  t.same(elsewhere, { kind: 'silence', reason: 'off-link' }, 'nothing is sent off the link')
  t.end()
})

t.test('DECLINE sets aside only what was given to the one who declines', (t) => {
  const decline = (address: string, view = bound): Decision =>
    ask({ type: 'decline', more: [requested(address), server('10.77.0.10')] }, view)
  t.same(decline('10.77.0.150'), { kind: 'quarantine', mac, address: ip('10.77.0.150') })
  t.same(decline('10.77.0.151'), { kind: 'silence', reason: 'declined-by-stranger' })
  t.same(decline('10.77.0.150', unbound), { kind: 'silence', reason: 'declined-by-stranger' })
  t.end()
})

t.test('RELEASE keeps the binding', (t) => {
  t.same(ask({ type: 'release', ciaddr: ip('10.77.0.150') }), {
    kind: 'silence',
    reason: 'released',
  })
  t.end()
})

t.test('a client that chose a server which is not ours gives that server away', (t) => {
  const decision = ask({
    type: 'request',
    more: [requested('10.77.0.40'), server('10.77.0.254')],
  })
  t.same(decision, { kind: 'foreign-server', server: ip('10.77.0.254'), mac })
  t.end()
})

t.test('a relay option comes back last, and replies fit what the client can take', (t) => {
  const relay = [option.relayAgent, fromHex('0104deadbeef')] as const
  const offer = seen(ask({ type: 'discover', client: ovmfHttp, more: [relay] }))
  t.same(offer.order.slice(-2), [option.bootFile, option.relayAgent])
  t.equal(offer.hex(option.relayAgent), '0104deadbeef')
  const greedy = [option.clientIdentifier, new Uint8Array(250)] as const
  const greedyRelay = [option.relayAgent, new Uint8Array(250)] as const
  t.same(ask({ type: 'discover', client: udhcpc.slice(1), more: [greedy, greedyRelay] }), {
    kind: 'silence',
    reason: 'does-not-fit',
  })
  const roomy = [option.maximumMessageSize, new Uint8Array([0xff, 0])] as const
  t.equal(ask({ type: 'discover', more: [greedy, greedyRelay, roomy] }).kind, 'reply')
  t.end()
})

t.test('what is no DHCP packet is malformed, with its reason', (t) => {
  const good = request({ type: 'discover', client: biosRom })
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice()
    bytes[at] = value
    return bytes
  }
  const reasons: readonly [Uint8Array, string][] = [
    [new Uint8Array(0), 'too-short'],
    [good.subarray(0, 239), 'too-short'],
    [new Uint8Array(1473), 'too-long'],
    [changed(236, 0), 'not-dhcp'],
    [changed(0, 3), 'not-dhcp'],
    [changed(1, 6), 'not-ethernet'],
    [changed(2, 16), 'not-ethernet'],
    [changed(28, 0x01), 'bad-mac'],
    [changed(241, 255), 'bad-options'],
    [changed(240, 0), 'bad-options'],
    [changed(242, 77), 'no-message-type'],
  ]
  for (const [bytes, reason] of reasons) {
    const decoded = decodePacket(bytes)
    t.equal(decoded.kind === 'malformed' && decoded.reason, reason)
  }
  t.end()
})

t.test('options in pieces and in overloaded fields are one set', (t) => {
  const bytes = request({
    type: 'discover',
    more: [
      [option.overload, new Uint8Array([1])],
      [option.hostName, utf8('long-')],
      [option.hostName, utf8('name')],
    ],
  })
  bytes.set([50, 4, 10, 77, 0, 150, 255], 108)
  const { options } = parse(bytes)
  t.equal(fromUtf8(options.get(option.hostName) as Uint8Array), 'long-name')
  t.equal(ipv4FromBytes(options.get(option.requestedAddress)), ip('10.77.0.150'))
  t.end()
})
