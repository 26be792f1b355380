/** UDP over IPv4 behind `ports/Datagrams`. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { JangadaError } from '../base/errors.ts'
import type {
  DatagramOptions,
  DatagramSocket,
  Datagrams,
  Endpoint,
  Link,
} from '../ports/datagrams.ts'

/**
 * A socket bound to a link's own address sends 255.255.255.255 out on that link; one bound to
 * 0.0.0.0 fails with ENETUNREACH where there is no default route. But broadcasts are delivered
 * only to the latter. So a port that also receives broadcasts takes a socket for each direction,
 * and what is addressed to the link itself arrives at the sender.
 *
 * And it takes a second sender. Datagrams for a host that does not answer ARP stay in the send
 * buffer until the kernel gives up on it, seconds later. On one socket a few hundred answers to a
 * machine that is gone would hold up every broadcast behind them.
 *
 * Receiving on 0.0.0.0 hides the interface, and plain Node cannot bind to a device. So one
 * process opens a port with `broadcast` for one link at a time; for another it is refused with
 * JGD_LINK_UNKNOWN rather than answering one link's clients on the other.
 */
export function udpDatagrams(): Datagrams {
  const broadcastLinkOfPort = new Map<number, string>()
  return {
    links,
    open: async (options) => {
      const { link, port, broadcast } = options
      if (!broadcast) return openUnicast(options)
      const holder = broadcastLinkOfPort.get(port)
      if (holder !== undefined) {
        throw new JangadaError(
          'JGD_LINK_UNKNOWN',
          `port ${port} already receives broadcasts for link ${holder}`,
          { hint: `serve ${link.name} from a process of its own, or name only one link` },
        )
      }
      // Held from before the first await, so that two that open at once do not both pass.
      if (port !== 0) broadcastLinkOfPort.set(port, link.name)
      try {
        const socket = await openBroadcast(options, (taken) => broadcastLinkOfPort.delete(taken))
        broadcastLinkOfPort.set(socket.port, link.name)
        return socket
      } catch (error) {
        broadcastLinkOfPort.delete(port)
        throw error
      }
    },
  }
}

/**
 * Every interface but loopback that has an IPv4 address, by its first. An interface without a
 * carrier is left out (libuv asks for IFF_RUNNING): look again once its cable is in.
 */
function links(): readonly Link[] {
  const found: Link[] = []
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const first = addresses?.find((address) => address.family === 'IPv4' && !address.internal)
    if (first === undefined) continue
    const prefixLength = Number(first.cidr?.split('/')[1] ?? 32)
    found.push({ name, mac: first.mac.toLowerCase(), address: first.address, prefixLength })
  }
  return found
}

async function openUnicast({ link, port, onMessage }: DatagramOptions): Promise<DatagramSocket> {
  const socket = await bind(link.address, port, false, onMessage)
  return wrap({ unicast: socket, broadcast: socket }, [socket])
}

async function openBroadcast(
  { link, port, onMessage }: DatagramOptions,
  onClose: (port: number) => void,
): Promise<DatagramSocket> {
  const opened: Socket[] = []
  const open = async (address: string, at: number): Promise<Socket> => {
    const socket = await bind(address, at, true, onMessage)
    opened.push(socket)
    return socket
  }
  try {
    const broadcast = await open(link.address, port)
    broadcast.setBroadcast(true)
    const taken = broadcast.address().port
    const unicast = await open(link.address, taken)
    await open('0.0.0.0', taken)
    return wrap({ unicast, broadcast }, opened, onClose)
  } catch (error) {
    for (const socket of opened) socket.close()
    throw error
  }
}

/** Datagrams that wait for the kernel's send buffer, per socket; further ones are dropped. */
const sendQueueMax = 256

function wrap(
  senders: { readonly unicast: Socket; readonly broadcast: Socket },
  sockets: readonly Socket[],
  onClose: (port: number) => void = () => {},
): DatagramSocket {
  const { port } = senders.unicast.address()
  let open = true
  return {
    port,
    send: (message: Uint8Array, to: Endpoint) => {
      const sender = to.address === '255.255.255.255' ? senders.broadcast : senders.unicast
      if (!open || sender.getSendQueueCount() >= sendQueueMax) return
      // The callback takes the error that would otherwise be an event; UDP promises nothing.
      sender.send(message, to.port, to.address, () => {})
    },
    close: () => {
      if (!open) return
      open = false
      for (const socket of sockets) socket.close()
      onClose(port)
    },
  }
}

/** `shared` lets the sockets of one port coexist; every holder of the port must have it. */
function bind(
  address: string,
  port: number,
  shared: boolean,
  onMessage: DatagramOptions['onMessage'],
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: shared })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      reject(bindError(error, address, port))
    })
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error')
      // Later errors tell of unreachable peers, which is no news to a datagram's sender.
      socket.on('error', () => {})
      socket.on('message', (message: Uint8Array, from: RemoteInfo) => {
        onMessage(message, { address: from.address, port: from.port })
      })
      resolve(socket)
    })
  })
}

function bindError(error: NodeJS.ErrnoException, address: string, port: number): JangadaError {
  const what = `cannot open UDP port ${port} on ${address}`
  const cause = { cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return new JangadaError('JGD_PORT_TAKEN', `${what}: another process has it`, {
        ...cause,
        hint: `find it with: ss -lunp 'sport = ${port}'`,
      })
    case 'EACCES':
      return new JangadaError('JGD_NEEDS_ROOT', `${what}: ports below 1024 need root`, cause)
    case 'EADDRNOTAVAIL':
      return new JangadaError(
        'JGD_LINK_UNKNOWN',
        `${what}: this machine has no such address`,
        cause,
      )
    default:
      return new JangadaError('JGD_INTERNAL', what, cause)
  }
}
