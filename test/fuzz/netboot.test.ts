/** Random and damaged packets: decoded or refused, answered or not, but never a thrown error. */
import t from 'tap'
import { concat, fromHex, utf8 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { decide } from '../../src/core/netboot/dhcp/decide.ts'
import { decodePacket } from '../../src/core/netboot/dhcp/packet.ts'
import { formatIpv4, isHostIn, limitedBroadcast } from '../../src/core/netboot/ipv4.ts'
import { agreeOnTerms, allowedName } from '../../src/core/netboot/tftp/options.ts'
import { decodeTftp } from '../../src/core/netboot/tftp/packet.ts'
import { Transfer } from '../../src/core/netboot/tftp/transfer.ts'
import { bound, link, unbound } from '../core/netboot/clients.ts'
import { dhcpSamples, mutate, tftpSamples } from './netboot.ts'

const packets = 100_000

t.test(`${packets} DHCP packets`, (t) => {
  const random = new SeededRandom(1)
  const seen = { malformed: 0, silence: 0, reply: 0, other: 0 }
  for (let i = 0; i < packets; i += 1) {
    const bytes = mutate(random, dhcpSamples)
    const decoded = decodePacket(bytes)
    if (decoded.kind === 'malformed') {
      seen.malformed += 1
      continue
    }
    const { packet } = decoded
    const view = random.chance(0.5) ? bound : unbound
    const decision = decide(packet, link, view)
    if (decision.kind === 'silence') seen.silence += 1
    else if (decision.kind !== 'reply') seen.other += 1
    else {
      seen.reply += 1
      const { reply } = decision
      const again = decodePacket(reply.bytes)
      if (again.kind !== 'packet') t.fail('a reply that nobody can read')
      else if (again.packet.xid !== packet.xid || again.packet.op !== 2) t.fail('a stray reply')
      if (reply.bytes.length < 300 || reply.bytes.length > 1444) t.fail('a reply of a wrong size')
      const { address } = reply.to
      if (address !== limitedBroadcast && !isHostIn(link.subnet, address)) {
        t.fail(`a reply sent off the link, to ${formatIpv4(address)}`)
      }
    }
  }
  t.comment(JSON.stringify(seen))
  for (const [kind, count] of Object.entries(seen)) t.ok(count > 100, `${kind} was reached`)
  t.end()
})

t.test(`${packets} TFTP packets`, (t) => {
  const random = new SeededRandom(2)
  const content = random.bytes(5000)
  const seen = { malformed: 0, started: 0, finished: 0, sent: 0 }
  let transfer: Transfer | undefined
  for (let i = 0; i < packets; i += 1) {
    const packet = decodeTftp(mutate(random, tftpSamples))
    if (packet === undefined) seen.malformed += 1
    if (packet?.kind === 'read-request') {
      const name = allowedName(packet.fileName, (one) => one === 'undionly.kpxe')
      if (name !== undefined && transfer === undefined) {
        seen.started += 1
        transfer = new Transfer(content, agreeOnTerms(packet, content.length, 1500), i)
        seen.sent += transfer.start().length
        continue
      }
    }
    if (transfer === undefined) continue
    const tick = random.chance(0.05)
    const effects = transfer.step(tick ? { kind: 'tick' } : { kind: 'packet', packet }, i * 20)
    seen.sent += effects.length
    if (effects.length > 66) t.fail('more than a window for one packet')
    if (transfer.finished) {
      seen.finished += 1
      transfer = undefined
    }
  }
  t.comment(JSON.stringify(seen))
  for (const [kind, count] of Object.entries(seen)) t.ok(count > 100, `${kind} was reached`)
  t.end()
})

t.test('a packet made of nothing but options ends', (t) => {
  const header = dhcpSamples[0]?.slice(0, 240) ?? new Uint8Array()
  for (const tail of ['00'.repeat(1000), '3400'.repeat(500), '350101'.repeat(400), 'ff']) {
    t.ok(decodePacket(concat([header, fromHex(tail)])).kind)
  }
  t.ok(decodeTftp(concat([new Uint8Array([0, 1]), utf8('\0'.repeat(500))])) === undefined)
  t.end()
})
