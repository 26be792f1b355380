/** DHCP on one link: packets in, `core/netboot`'s decisions carried out. */
import { describeError } from '../../base/errors.ts'
import { classifyClient } from '../../core/netboot/dhcp/client.ts'
import { decide } from '../../core/netboot/dhcp/decide.ts'
import type { Decision } from '../../core/netboot/dhcp/decide.ts'
import type { Binding, LinkContext, MachineView } from '../../core/netboot/dhcp/link.ts'
import { option } from '../../core/netboot/dhcp/options.ts'
import { decodePacket } from '../../core/netboot/dhcp/packet.ts'
import type { DhcpPacket } from '../../core/netboot/dhcp/packet.ts'
import type { Reply } from '../../core/netboot/dhcp/reply.ts'
import { uuidFromOption97 } from '../../core/netboot/hardware.ts'
import type { Mac } from '../../core/netboot/hardware.ts'
import { formatIpv4, parseIpv4 } from '../../core/netboot/ipv4.ts'
import type { Ipv4 } from '../../core/netboot/ipv4.ts'
import { assert, assertNever, present } from '../../base/assert.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DatagramSocket, Datagrams } from '../../ports/datagrams.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { BindRequest, Bindings, BootCluster, BootLink } from './bindings.ts'
import type { BootStep, OnBootStep } from './boot-step.ts'
import { TokenBucket } from './token-bucket.ts'

export interface DhcpServerOptions {
  readonly datagrams: Datagrams
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly bindings: Bindings
  readonly cluster: BootCluster
  readonly link: BootLink
  readonly httpPort: number
  readonly onBootStep: OnBootStep
  readonly onForeignServer: OnForeignServer
}

/** Another DHCP server answers on this link: an alarm for people, not a race to win. */
export type OnForeignServer = (seen: {
  readonly link: string
  readonly server: Ipv4
  readonly mac: Mac
}) => void

export interface DhcpServer {
  close(): void
}

/** Unauthenticated packets cause at most this many writes to the log, per link. */
export const writesPerSecondMax = 5
/** Machines whose first binding is being committed at one time. */
export const bindingsInFlightMax = 64
/** Foreign servers are told of three times at once, then once in twenty seconds. */
const alarmsPerSecondMax = 1 / 20
const alarmsBurstMax = 3
const serverPort = 67

/** Rejects with the coded errors of `Datagrams.open`. */
export async function openDhcpServer(options: DhcpServerOptions): Promise<DhcpServer> {
  const server = new Server(options)
  await server.open()
  return server
}

class Server implements DhcpServer {
  readonly #options: DhcpServerOptions
  readonly #own: Ipv4
  /** Bindings and quarantines: both are writes that anyone on the link can ask for. */
  readonly #writes: TokenBucket
  readonly #alarms: TokenBucket
  /** The latest packet of each machine that waits. Invariant: size <= bindingsInFlightMax. */
  readonly #waiting = new Map<Mac, DhcpPacket>()
  #socket: DatagramSocket | undefined
  #closed = false

  constructor(options: DhcpServerOptions) {
    this.#options = options
    this.#own = present(parseIpv4(options.link.link.address), 'the address of a boot link')
    const nowMs = options.clock.monotonicMs()
    this.#writes = new TokenBucket(writesPerSecondMax, writesPerSecondMax, nowMs)
    this.#alarms = new TokenBucket(alarmsPerSecondMax, alarmsBurstMax, nowMs)
  }

  async open(): Promise<void> {
    const { datagrams, link } = this.#options
    this.#socket = await datagrams.open({
      link: link.link,
      port: serverPort,
      broadcast: true,
      onMessage: (bytes) => this.#onMessage(bytes),
    })
  }

  close(): void {
    this.#closed = true
    this.#socket?.close()
  }

  #onMessage(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#options.metrics.count('jangada_dhcp_received_total')
    const decoded = decodePacket(bytes)
    switch (decoded.kind) {
      case 'malformed':
        return this.#dropped(decoded.reason)
      case 'packet':
        return this.#onPacket(decoded.packet)
      default:
        assertNever(decoded)
    }
  }

  #onPacket(packet: DhcpPacket): void {
    const decision = decide(packet, this.#linkContext(), this.#viewOf(packet, undefined))
    switch (decision.kind) {
      case 'reply':
        return this.#reply(packet, decision.reply, this.#options.clock.wallMs())
      case 'silence':
        return this.#dropped(decision.reason)
      case 'needs-binding':
        return this.#bindThenReply(packet, decision)
      case 'quarantine':
        return this.#quarantine(decision)
      case 'foreign-server':
        return this.#foreign(decision)
      default:
        assertNever(decision)
    }
  }

  /** Answers only once the binding is committed; the ROM waits and asks again by itself. */
  #bindThenReply(packet: DhcpPacket, decision: Extract<Decision, { kind: 'needs-binding' }>): void {
    const { mac, uuid } = decision
    const { clock, link } = this.#options
    if (this.#waiting.has(mac)) {
      // Already on its way: the answer will be to this packet, whose xid the client now expects.
      this.#waiting.set(mac, packet)
      return
    }
    if (this.#waiting.size >= bindingsInFlightMax) return this.#dropped('too-many-waiting')
    if (!this.#writes.take(clock.monotonicMs())) return this.#dropped('too-many-writes')
    this.#waiting.set(mac, packet)
    void this.#bind({ mac, uuid, link }, clock.wallMs())
  }

  async #bind(request: BindRequest, askedAtMs: number): Promise<void> {
    const { bindings, log } = this.#options
    const { mac } = request
    let binding: Binding
    try {
      binding = await bindings.bind(request)
    } catch (error) {
      this.#waiting.delete(mac)
      this.#dropped('not-bound')
      log.warn('no address could be bound', { mac, error: describeError(error) })
      return
    }
    const packet = this.#waiting.get(mac)
    this.#waiting.delete(mac)
    if (this.#closed || packet === undefined) return
    const decision = decide(packet, this.#linkContext(), this.#viewOf(packet, binding))
    if (decision.kind === 'reply') this.#reply(packet, decision.reply, askedAtMs)
    else this.#dropped(decision.kind === 'silence' ? decision.reason : decision.kind)
  }

  #quarantine({ mac, address }: Extract<Decision, { kind: 'quarantine' }>): void {
    const { bindings, clock, log } = this.#options
    if (!this.#writes.take(clock.monotonicMs())) return this.#dropped('too-many-writes')
    const fields = { mac, address: formatIpv4(address) }
    log.warn('a machine found its address in use by another host', fields)
    bindings.quarantine(mac, address).catch((error: unknown) => {
      log.warn('an address could not be set aside', { ...fields, error: describeError(error) })
    })
  }

  #foreign({ server, mac }: Extract<Decision, { kind: 'foreign-server' }>): void {
    const { clock, link, onForeignServer } = this.#options
    this.#dropped('foreign-server')
    if (!this.#alarms.take(clock.monotonicMs())) return
    onForeignServer({ link: link.link.name, server, mac })
  }

  #reply(packet: DhcpPacket, reply: Reply, askedAtMs: number): void {
    const { clock, metrics, onBootStep } = this.#options
    const socket = present(this.#socket, 'the socket of an open server')
    const to = { address: formatIpv4(reply.to.address), port: reply.to.port }
    socket.send(reply.bytes, to)
    metrics.count('jangada_dhcp_replies_total', { message: reply.message })
    const client = classifyClient(packet.options).kind
    const step = (kind: 'discover' | 'offer' | 'request' | 'ack'): BootStep => ({ kind, client })
    if (packet.messageType === 'discover') {
      onBootStep(packet.mac, step('discover'), askedAtMs)
      onBootStep(packet.mac, step('offer'), clock.wallMs())
    } else if (packet.messageType === 'request' && reply.message === 'ack') {
      onBootStep(packet.mac, step('request'), askedAtMs)
      onBootStep(packet.mac, step('ack'), clock.wallMs())
    }
  }

  #dropped(reason: string): void {
    this.#options.metrics.count('jangada_dhcp_dropped_total', { reason })
  }

  #linkContext(): LinkContext {
    const { cluster, link, httpPort } = this.#options
    const { router, nameServers, timeServers, leaseSeconds } = link
    const subnet = { address: this.#own, prefixLength: link.link.prefixLength }
    const servers = [this.#own, ...cluster.bootServers()]
    assert(servers.length > 0, 'this node is one of its servers')
    return { subnet, router, nameServers, timeServers, leaseSeconds, httpPort, servers }
  }

  #viewOf(packet: DhcpPacket, fresh: Binding | undefined): MachineView {
    const { bindings, cluster } = this.#options
    const { mac } = packet
    const uuid = uuidFromOption97(packet.options.get(option.clientMachineId))
    return {
      binding: fresh ?? bindings.lookup(mac),
      hostname: cluster.hostnameFor(mac),
      loaders: cluster.profileFor({ mac, uuid }).loaders,
    }
  }
}
