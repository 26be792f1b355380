import t from 'tap'
import { concat, fromUtf8, toHex, utf8 } from '../../../src/base/bytes.ts'
import { present } from '../../../src/base/assert.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { agreeOnTerms, allowedName } from '../../../src/core/netboot/tftp/options.ts'
import { decodeTftp } from '../../../src/core/netboot/tftp/packet.ts'
import type { ReadRequest } from '../../../src/core/netboot/tftp/packet.ts'
import { retransmitAfterMs, Transfer } from '../../../src/core/netboot/tftp/transfer.ts'
import type { TransferEffect, TransferOutcome } from '../../../src/core/netboot/tftp/transfer.ts'

const read = (text: string): ReadRequest => {
  const packet = decodeTftp(concat([new Uint8Array([0, 1]), utf8(text)]))
  if (packet?.kind !== 'read-request') throw new Error('not a read request')
  return packet
}
const ack = (block: number): Uint8Array => new Uint8Array([0, 4, (block >> 8) & 0xff, block & 0xff])

const begin = (content: Uint8Array, options = ''): Transfer =>
  new Transfer(content, agreeOnTerms(read(`f\0octet\0${options}`), content.length, 1500), 0)

const sent = (effects: readonly TransferEffect[]): Uint8Array[] =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [effect.bytes] : []))
const outcome = (effects: readonly TransferEffect[]): TransferOutcome | undefined =>
  effects.flatMap((effect) => (effect.kind === 'finished' ? [effect.outcome] : []))[0]
/** Block numbers of DATA packets. */
const blocks = (effects: readonly TransferEffect[]): number[] =>
  sent(effects).map((bytes) => ((bytes[2] as number) << 8) | (bytes[3] as number))

const answer = (transfer: Transfer, bytes: Uint8Array, nowMs = 0): readonly TransferEffect[] =>
  transfer.step({ kind: 'packet', packet: decodeTftp(bytes) }, nowMs)

t.test('only what was asked for is granted, within bounds', (t) => {
  const terms = (options: string) => agreeOnTerms(read(`f\0octet\0${options}`), 1000, 1500)
  t.same(terms('').granted, new Map())
  t.same(terms('tsize\x000\0').granted, new Map([['tsize', '1000']]))
  t.same(terms('BLKSIZE\x001468\0').granted, new Map([['blksize', '1468']]))
  t.equal(terms('blksize\x0065464\0').blockBytes, 1468, 'no fragments on the link')
  t.same(terms('blksize\x007\0').granted, new Map(), 'below the RFC: as if not asked')
  t.same(terms('blksize\0big\0rollover\x000\0timeout\x003\0').granted, new Map())
  t.equal(terms('windowsize\x00900\0').windowBlocks, 64)
  t.end()
})

t.test('names are taken from the list, however firmware spells them', (t) => {
  const allowed = (name: string): boolean => name === 'undionly.kpxe'
  for (const name of ['undionly.kpxe', '/undionly.kpxe', '\\undionly.kpxe', '//undionly.kpxe']) {
    t.equal(allowedName(name, allowed), 'undionly.kpxe')
  }
  for (const name of ['../undionly.kpxe', 'x/undionly.kpxe', 'undionly.kpxe/', '', '/etc/passwd']) {
    t.equal(allowedName(name, allowed), undefined)
  }
  t.end()
})

t.test('a client without options gets 512-byte blocks and an empty last one', (t) => {
  const content = new Uint8Array(1024).fill(7)
  const transfer = begin(content)
  const first = transfer.start()
  t.same(blocks(first), [1])
  t.equal(sent(first)[0]?.length, 516)
  t.same(blocks(answer(transfer, ack(1))), [2])
  const last = answer(transfer, ack(2))
  t.same(blocks(last), [3])
  t.equal(sent(last)[0]?.length, 4, 'the file is a multiple of the block')
  t.equal(outcome(answer(transfer, ack(3))), 'complete')
  t.same(answer(transfer, ack(3)), [], 'nothing after the end')
  t.end()
})

t.test('options are agreed before the first block', (t) => {
  const transfer = begin(new Uint8Array(10), 'tsize\x000\0blksize\x001024\0')
  const [offered] = sent(transfer.start())
  t.equal(fromUtf8(present(offered, 'an OACK')), '\0\x06tsize\x0010\0blksize\x001024\0')
  t.same(answer(transfer, ack(1)), [], 'ACK 0 is the only answer to an OACK')
  t.same(blocks(answer(transfer, ack(0))), [1])
  t.equal(outcome(answer(transfer, ack(1))), 'complete')
  t.end()
})

t.test('EDK2 asks for the size only, and ends that transfer with ERROR 8', (t) => {
  const transfer = begin(new Uint8Array(10), 'tsize\x000\0')
  transfer.start()
  const effects = answer(transfer, concat([new Uint8Array([0, 5, 0, 8]), utf8('User aborted\0')]))
  t.equal(outcome(effects), 'stopped-by-client')
  t.ok(transfer.finished)
  t.end()
})

t.test('silence is answered by the same packet, ever more slowly, and then not at all', (t) => {
  const transfer = begin(new Uint8Array(600))
  const [first] = sent(transfer.start())
  let nowMs = 0
  for (const waitMs of retransmitAfterMs.slice(0, -1)) {
    t.same(transfer.step({ kind: 'tick' }, nowMs + waitMs - 1), [], 'not before its time')
    nowMs += waitMs
    t.same(sent(transfer.step({ kind: 'tick' }, nowMs)), [first])
  }
  t.equal(outcome(transfer.step({ kind: 'tick' }, nowMs + 4000)), 'timed-out')
  t.end()
})

t.test('a repeated ACK does not double the packets (the sorcerer\u2019s apprentice)', (t) => {
  const transfer = begin(new Uint8Array(2000))
  transfer.start()
  t.same(blocks(answer(transfer, ack(1))), [2])
  t.same(answer(transfer, ack(1)), [])
  t.same(answer(transfer, ack(0)), [])
  t.same(answer(transfer, ack(9)), [], 'an ACK of what was never sent')
  t.end()
})

t.test('with a window, an ACK inside it says what was lost', (t) => {
  const transfer = begin(new Uint8Array(512 * 10), 'windowsize\x004\0')
  transfer.start()
  t.same(blocks(answer(transfer, ack(0))), [1, 2, 3, 4])
  t.same(blocks(answer(transfer, ack(2))), [3, 4, 5, 6], 'block 3 was lost')
  t.same(blocks(answer(transfer, ack(2))), [3, 4, 5, 6], 'and again')
  t.same(answer(transfer, ack(2)), [], 'but a flood of ACKs is not amplified')
  t.same(blocks(answer(transfer, ack(6))), [7, 8, 9, 10])
  t.same(blocks(answer(transfer, ack(10))), [11])
  t.equal(outcome(answer(transfer, ack(11))), 'complete')
  t.end()
})

t.test('block numbers wrap after 65535', (t) => {
  const content = new Uint8Array(8 * 70_000 + 3)
  const transfer = begin(content, 'blksize\x008\0')
  transfer.start()
  let effects = answer(transfer, ack(0))
  let count = 0
  while (outcome(effects) === undefined) {
    count += 1
    const [block] = blocks(effects)
    if (block !== (count & 0xffff)) {
      t.fail(`block ${block} came as number ${count}`)
      break
    }
    effects = answer(transfer, ack(count & 0xffff))
  }
  t.equal(outcome(effects), 'complete')
  t.equal(count, 70_001)
  t.end()
})

t.test('every transfer over a lossy, repeating line ends with the whole file', (t) => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new SeededRandom(seed)
    const content = random.bytes(random.integer(0, 20_000))
    const window = random.integer(1, 6)
    const transfer = begin(content, `windowsize\x00${window}\0blksize\x00512\0`)
    const got = lossyClient(transfer, random, window)
    if (toHex(got) !== toHex(content)) t.fail(`seed ${seed}`)
  }
  t.pass('60 seeds')
  t.end()
})

/** A client as RFC 7440 describes it, on a line that loses and repeats a tenth each way. */
function lossyClient(transfer: Transfer, random: SeededRandom, window: number): Uint8Array {
  const received: Uint8Array[] = []
  let nowMs = 0
  let inWindow = 0
  let toClient = sent(transfer.start())
  for (let round = 0; round < 20_000 && !transfer.finished; round += 1) {
    const toServer: Uint8Array[] = []
    for (const bytes of toClient) {
      if (random.chance(0.1)) continue
      const number = ((bytes[2] as number) << 8) | (bytes[3] as number)
      if (bytes[1] === 6) toServer.push(ack(0))
      else if (number === received.length + 1) {
        received.push(bytes.slice(4))
        inWindow += 1
        if (inWindow >= window || bytes.length < 516) {
          inWindow = 0
          toServer.push(ack(number))
        }
      } else {
        inWindow = 0
        toServer.push(ack(received.length))
      }
    }
    toClient = []
    for (const bytes of toServer) {
      if (random.chance(0.1)) continue
      for (let copy = random.chance(0.1) ? 2 : 1; copy > 0; copy -= 1) {
        toClient.push(...sent(answer(transfer, bytes, nowMs)))
      }
    }
    if (toClient.length > 0) continue
    nowMs = Math.max(nowMs, transfer.deadlineMs)
    toClient.push(...sent(transfer.step({ kind: 'tick' }, nowMs)))
  }
  return concat(received)
}

t.test('what is no TFTP message is nothing', (t) => {
  for (const bytes of [
    [],
    [0, 4, 0],
    [1, 1, 65, 0],
    [0, 7, 0, 0],
    [0, 1, 0, 0],
    [0, 1, 65, 66],
    [0, 1, ...utf8('x'.repeat(600)), 0, 111, 0],
  ]) {
    t.equal(decodeTftp(new Uint8Array(bytes)), undefined)
  }
  t.equal(read('a\0OCTET\0').mode, 'octet')
  t.equal(read('a\0octet\0tsize').options.size, 0, 'an option cut short is left out')
  t.end()
})
