/** TFTP on one link: the loaders that firmware fetches before it can speak HTTP. */
import { assertNever, present } from '../../base/assert.ts'
import { describeError } from '../../base/errors.ts'
import { isHostIn, parseIpv4 } from '../../core/netboot/ipv4.ts'
import type { Subnet } from '../../core/netboot/ipv4.ts'
import { agreeOnTerms, allowedName } from '../../core/netboot/tftp/options.ts'
import { decodeTftp, encodeError, errorCode } from '../../core/netboot/tftp/packet.ts'
import type { ReadRequest } from '../../core/netboot/tftp/packet.ts'
import { Transfer } from '../../core/netboot/tftp/transfer.ts'
import type { TransferEffect, TransferOutcome } from '../../core/netboot/tftp/transfer.ts'
import type { Clock, Timer } from '../../ports/clock.ts'
import type { DatagramSocket, Datagrams, Endpoint, Link } from '../../ports/datagrams.ts'
import type { Log } from '../../ports/log.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { Bindings } from './bindings.ts'
import type { BootStep, OnBootStep } from './boot-step.ts'

export interface TftpServerOptions {
  readonly datagrams: Datagrams
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly bindings: Pick<Bindings, 'lookupAddress'>
  readonly link: Link
  /** Everything that is served, by name: small enough to hold in memory, as the binary does. */
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly onBootStep: OnBootStep
}

export interface TftpServer {
  close(): void
}

/** Transfers at one time; a further client is not answered and asks again. */
export const transfersMax = 50
/** Ethernet's. A link with a larger one loses nothing that matters for a megabyte. */
const mtuBytes = 1500
const serverPort = 69

/** Rejects with the coded errors of `Datagrams.open`. */
export async function openTftpServer(options: TftpServerOptions): Promise<TftpServer> {
  const server = new Server(options)
  await server.open()
  return server
}

interface Running {
  close(): void
}

class Server implements TftpServer {
  readonly #options: TftpServerOptions
  readonly #subnet: Subnet
  /** By the client's address and port. Invariant: size <= transfersMax. */
  readonly #transfers = new Map<string, Running>()
  #socket: DatagramSocket | undefined
  #closed = false

  constructor(options: TftpServerOptions) {
    this.#options = options
    const { address, prefixLength } = options.link
    this.#subnet = {
      address: present(parseIpv4(address), 'the address of a boot link'),
      prefixLength,
    }
  }

  async open(): Promise<void> {
    const { datagrams, link } = this.#options
    this.#socket = await datagrams.open({
      link,
      port: serverPort,
      broadcast: false,
      onMessage: (bytes, from) => this.#onMessage(bytes, from),
    })
  }

  close(): void {
    this.#closed = true
    this.#socket?.close()
    for (const transfer of this.#transfers.values()) transfer.close()
    this.#transfers.clear()
  }

  #onMessage(bytes: Uint8Array, from: Endpoint): void {
    if (this.#closed) return
    this.#options.metrics.count('jangada_tftp_received_total')
    const address = parseIpv4(from.address)
    // A forged sender elsewhere would be sent many times what it cost to forge the request.
    if (address === undefined || !isHostIn(this.#subnet, address)) return this.#dropped('off-link')
    if (from.port === 0) return this.#dropped('no-port')
    const packet = decodeTftp(bytes)
    if (packet === undefined) return this.#dropped('malformed')
    switch (packet.kind) {
      case 'read-request':
        return this.#onRead(packet, from)
      case 'write-request':
        this.#dropped('write-request')
        return this.#refuse(from, errorCode.accessViolation, 'this server only gives files')
      case 'ack':
      case 'error':
      case 'not-for-servers':
        // An answer to one of these could start two servers answering each other for ever.
        return this.#dropped('no-transfer')
      default:
        assertNever(packet)
    }
  }

  #onRead(request: ReadRequest, from: Endpoint): void {
    if (request.mode !== 'octet') {
      this.#dropped('mode')
      return this.#refuse(from, errorCode.undefinedError, 'only octet mode is served')
    }
    const { files, log } = this.#options
    const name = allowedName(request.fileName, (one) => files.has(one))
    if (name === undefined) {
      this.#dropped('no-such-file')
      log.debug('a file that is not served was asked for', { from: from.address })
      return this.#refuse(from, errorCode.fileNotFound, 'no such file')
    }
    const client = `${from.address}:${from.port}`
    // The first answer was lost or is late; the running transfer repeats it by itself.
    if (this.#transfers.has(client)) return this.#dropped('repeated-request')
    if (this.#transfers.size >= transfersMax) return this.#dropped('too-many-transfers')
    const content = present(files.get(name), 'a file of the allow-list')
    const transfer = new RunningTransfer(this.#options, request, name, content, from, () => {
      this.#transfers.delete(client)
    })
    this.#transfers.set(client, transfer)
    void transfer.run()
  }

  #refuse(to: Endpoint, code: number, message: string): void {
    this.#socket?.send(encodeError(code, message), to)
  }

  #dropped(reason: string): void {
    this.#options.metrics.count('jangada_tftp_dropped_total', { reason })
  }
}

/** One transfer on a port of its own (RFC 1350, section 4: the transfer's identifier). */
class RunningTransfer implements Running {
  readonly #options: TftpServerOptions
  readonly #request: ReadRequest
  readonly #name: string
  readonly #content: Uint8Array
  readonly #client: Endpoint
  readonly #onEnd: () => void
  #transfer: Transfer | undefined
  #socket: DatagramSocket | undefined
  #timer: Timer | undefined
  #ended = false

  constructor(
    options: TftpServerOptions,
    request: ReadRequest,
    name: string,
    content: Uint8Array,
    client: Endpoint,
    onEnd: () => void,
  ) {
    this.#options = options
    this.#request = request
    this.#name = name
    this.#content = content
    this.#client = client
    this.#onEnd = onEnd
  }

  /** Never rejects: a transfer that cannot start is logged, and the client asks again. */
  async run(): Promise<void> {
    const { datagrams, link, clock, log } = this.#options
    try {
      const onMessage = (bytes: Uint8Array, from: Endpoint): void => this.#onMessage(bytes, from)
      const socket = await datagrams.open({ link, port: 0, broadcast: false, onMessage })
      if (this.#ended) return socket.close()
      this.#socket = socket
    } catch (error) {
      log.warn('a transfer could not start', { file: this.#name, error: describeError(error) })
      return this.close()
    }
    const terms = agreeOnTerms(this.#request, this.#content.length, mtuBytes)
    this.#transfer = new Transfer(this.#content, terms, clock.monotonicMs())
    this.#tell({ kind: 'file-begin', file: this.#name, over: 'tftp' })
    this.#carryOut(this.#transfer.start())
    this.#armTimer()
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#timer?.cancel()
    this.#socket?.close()
    this.#onEnd()
  }

  #onMessage(bytes: Uint8Array, from: Endpoint): void {
    if (this.#ended || this.#transfer === undefined) return
    if (from.address !== this.#client.address || from.port !== this.#client.port) {
      // RFC 1350: a stranger is told so, and the transfer goes on.
      this.#options.metrics.count('jangada_tftp_dropped_total', { reason: 'stranger' })
      this.#socket?.send(encodeError(errorCode.unknownTransfer, 'not your transfer'), from)
      return
    }
    const packet = decodeTftp(bytes)
    if (packet === undefined) {
      this.#options.metrics.count('jangada_tftp_dropped_total', { reason: 'malformed' })
    }
    const nowMs = this.#options.clock.monotonicMs()
    this.#carryOut(this.#transfer.step({ kind: 'packet', packet }, nowMs))
  }

  /** One timer at a time: it looks at the deadline, which packets keep moving, when it fires. */
  #armTimer(): void {
    const transfer = this.#transfer
    if (this.#ended || transfer === undefined) return
    const { clock } = this.#options
    const delayMs = Math.max(1, transfer.deadlineMs - clock.monotonicMs())
    this.#timer = clock.after(delayMs, () => {
      this.#carryOut(transfer.step({ kind: 'tick' }, clock.monotonicMs()))
      this.#armTimer()
    })
  }

  #carryOut(effects: readonly TransferEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.#socket?.send(effect.bytes, this.#client)
      else this.#onFinished(effect.outcome)
    }
  }

  #onFinished(outcome: TransferOutcome): void {
    this.#options.metrics.count('jangada_tftp_transfers_total', { outcome })
    const complete = outcome === 'complete'
    this.#tell({ kind: 'file-end', file: this.#name, over: 'tftp', complete })
    this.close()
  }

  #tell(step: BootStep): void {
    const { bindings, clock, onBootStep } = this.#options
    const address = parseIpv4(this.#client.address)
    const binding = address === undefined ? undefined : bindings.lookupAddress(address)
    if (binding !== undefined) onBootStep(binding.mac, step, clock.wallMs())
  }
}
