/** What every side of `ports/Datagrams` must do. */
import type { Test } from 'tap'
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import type { DatagramSocket, Datagrams, Endpoint, Link } from '../../src/ports/datagrams.ts'

export interface DatagramsSide {
  readonly datagrams: Datagrams
  /** A link on which sockets of this side reach each other. */
  readonly link: Link
  /** Lets time pass until `promise` settles: a real network needs nothing but waiting. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>
}

interface Mailbox {
  readonly socket: DatagramSocket
  readonly seen: { readonly text: string; readonly from: Endpoint }[]
  /** Resolves once `count` messages have come in all. */
  readonly got: (count: number) => Promise<void>
}

async function open(side: DatagramsSide, port = 0): Promise<Mailbox> {
  const seen: Mailbox['seen'] = []
  let wake = (): void => {}
  const onMessage = (message: Uint8Array, from: Endpoint): void => {
    seen.push({ text: fromUtf8(message), from })
    wake()
  }
  const socket = await side.run(
    side.datagrams.open({ link: side.link, port, broadcast: false, onMessage }),
  )
  const got = (count: number): Promise<void> =>
    new Promise((resolve) => {
      wake = () => {
        if (seen.length >= count) resolve()
      }
      wake()
    })
  return { socket, seen, got: (count) => side.run(got(count)) }
}

export function datagramsContract(t: Test, makeSide: () => DatagramsSide): void {
  t.test('a datagram arrives whole, with the address and port to answer to', async (t) => {
    const side = makeSide()
    const [one, other] = [await open(side), await open(side)]
    t.ok(one.socket.port > 0 && one.socket.port !== other.socket.port, 'port 0 takes a free one')
    one.socket.send(utf8('ping'), { address: side.link.address, port: other.socket.port })
    await other.got(1)
    const from = { address: side.link.address, port: one.socket.port }
    t.same(other.seen, [{ text: 'ping', from }])
    other.socket.send(utf8(''), from)
    await one.got(1)
    t.same(
      one.seen,
      [{ text: '', from: { ...from, port: other.socket.port } }],
      'also an empty one',
    )
    for (const { socket } of [one, other]) socket.close()
  })

  t.test('a port has one holder until that closes', async (t) => {
    const side = makeSide()
    const first = await open(side)
    await t.rejects(open(side, first.socket.port), { code: 'JGD_PORT_TAKEN' })
    first.socket.close()
    const second = await open(side, first.socket.port)
    t.equal(second.socket.port, first.socket.port)
    second.socket.close()
  })

  t.test('sending where nobody listens, or after closing, is no error', async (t) => {
    const side = makeSide()
    const [gone, sender, receiver] = [await open(side), await open(side), await open(side)]
    const to = (mailbox: Mailbox): Endpoint => ({
      address: side.link.address,
      port: mailbox.socket.port,
    })
    gone.socket.close()
    gone.socket.close()
    gone.socket.send(utf8('too late'), to(receiver))
    sender.socket.send(utf8('nobody'), to(gone))
    sender.socket.send(utf8('somebody'), to(receiver))
    await receiver.got(1)
    t.same(
      receiver.seen.map(({ text }) => text),
      ['somebody'],
    )
    for (const { socket } of [sender, receiver]) socket.close()
  })
}
