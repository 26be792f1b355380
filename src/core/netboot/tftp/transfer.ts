/**
 * One file on its way to one client: what to send after each packet and each silence. The caller
 * owns the socket and the clock; it has checked that packets come from the client's own port.
 */
import { assert, assertNever } from '../../../base/assert.ts'
import type { TransferTerms } from './options.ts'
import { encodeData, encodeError, encodeOptionAck, errorCode } from './packet.ts'
import type { TftpPacket } from './packet.ts'

export type TransferInput =
  { readonly kind: 'packet'; readonly packet: TftpPacket | undefined } | { readonly kind: 'tick' }

export type TransferEffect =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** Nothing follows; the socket can be closed. */
  | { readonly kind: 'finished'; readonly outcome: TransferOutcome }

export type TransferOutcome =
  | 'complete'
  /** The client sent ERROR: usual after it has only asked for the size. */
  | 'stopped-by-client'
  | 'timed-out'
  | 'protocol-error'

/** Waits between retransmissions; when all have passed in silence the transfer is over. */
export const retransmitAfterMs = [500, 1000, 2000, 4000, 4000, 4000, 4000] as const

export class Transfer {
  readonly #content: Uint8Array
  readonly #terms: TransferTerms
  /** Blocks in the whole file: the last one is shorter than a full block, empty if need be. */
  readonly #blocks: number
  /** Invariant: 0 <= acknowledged <= sent <= min(blocks, acknowledged + windowBlocks). */
  #acknowledged = 0
  #sent = 0
  /** True until the client has answered the OACK with ACK 0. */
  #negotiating: boolean
  /** Index into `retransmitAfterMs`; zero again with every progress. */
  #silences = 0
  /** Whether the window was already resent for this value of `acknowledged`. */
  #rewound = false
  #finished = false
  #deadlineMs: number

  constructor(content: Uint8Array, terms: TransferTerms, nowMs: number) {
    assert(terms.blockBytes >= 8 && terms.windowBlocks >= 1, 'terms are within the RFCs')
    this.#content = content
    this.#terms = terms
    this.#blocks = Math.floor(content.length / terms.blockBytes) + 1
    this.#negotiating = terms.granted.size > 0
    this.#deadlineMs = nowMs + retransmitAfterMs[0]
  }

  /** When to call `step` with a tick, on the clock that `step` is given. */
  get deadlineMs(): number {
    return this.#deadlineMs
  }

  get finished(): boolean {
    return this.#finished
  }

  /** The first packets: the OACK, or the first window when no option was granted. */
  start(): readonly TransferEffect[] {
    assert(this.#sent === 0 && !this.#finished, 'a transfer starts once')
    return this.#resend()
  }

  /** A tick before the deadline does nothing. After `finished` nothing is sent any more. */
  step(input: TransferInput, nowMs: number): readonly TransferEffect[] {
    if (this.#finished) return []
    switch (input.kind) {
      case 'tick':
        return nowMs < this.#deadlineMs ? [] : this.#onSilence(nowMs)
      case 'packet':
        return this.#onPacket(input.packet, nowMs)
      default:
        return assertNever(input)
    }
  }

  #onSilence(nowMs: number): readonly TransferEffect[] {
    this.#silences += 1
    const wait = retransmitAfterMs[this.#silences]
    if (wait === undefined) return this.#finish('timed-out')
    this.#deadlineMs = nowMs + wait
    return this.#resend()
  }

  #onPacket(packet: TftpPacket | undefined, nowMs: number): readonly TransferEffect[] {
    // A damaged datagram is as good as a lost one.
    if (packet === undefined) return []
    switch (packet.kind) {
      case 'ack':
        return this.#negotiating
          ? this.#onFirstAck(packet.block, nowMs)
          : this.#onAck(packet.block, nowMs)
      case 'error':
        return this.#finish('stopped-by-client')
      case 'read-request':
      case 'write-request':
      case 'not-for-servers': {
        const bytes = encodeError(errorCode.illegalOperation, 'an ACK was expected')
        return [{ kind: 'send', bytes }, ...this.#finish('protocol-error')]
      }
      default:
        return assertNever(packet)
    }
  }

  #onFirstAck(block: number, nowMs: number): readonly TransferEffect[] {
    if (block !== 0) return []
    this.#negotiating = false
    this.#progress(nowMs)
    return this.#sendWindow()
  }

  #onAck(block: number, nowMs: number): readonly TransferEffect[] {
    // The wire's 16 bits, unwrapped: how far beyond the last acknowledgement this one is.
    const ahead = (block - this.#acknowledged) & 0xffff
    if (ahead > this.#sent - this.#acknowledged) return []
    if (ahead === 0) return this.#onRepeatedAck(nowMs)
    this.#acknowledged += ahead
    this.#progress(nowMs)
    if (this.#acknowledged === this.#blocks) return this.#finish('complete')
    // RFC 7440: an ACK within the window says that what follows it was lost.
    this.#sent = this.#acknowledged
    return this.#sendWindow()
  }

  /**
   * With a window, the first block of it was lost: it is sent again, once. Without, answering a
   * repeated ACK would double every packet from then on (RFC 1123, 4.2.3.1), so it is ignored.
   */
  #onRepeatedAck(nowMs: number): readonly TransferEffect[] {
    if (this.#terms.windowBlocks === 1 || this.#rewound) return []
    this.#rewound = true
    this.#deadlineMs = nowMs + retransmitAfterMs[0]
    return this.#resend()
  }

  #progress(nowMs: number): void {
    this.#silences = 0
    this.#rewound = false
    this.#deadlineMs = nowMs + retransmitAfterMs[0]
  }

  #resend(): readonly TransferEffect[] {
    if (this.#negotiating) return [{ kind: 'send', bytes: encodeOptionAck(this.#terms.granted) }]
    this.#sent = this.#acknowledged
    return this.#sendWindow()
  }

  #sendWindow(): readonly TransferEffect[] {
    const end = Math.min(this.#blocks, this.#acknowledged + this.#terms.windowBlocks)
    assert(this.#acknowledged <= this.#sent && this.#sent < end, 'a window has blocks to send')
    const effects: TransferEffect[] = []
    const { blockBytes } = this.#terms
    for (; this.#sent < end; this.#sent += 1) {
      const from = this.#sent * blockBytes
      const bytes = encodeData(this.#sent + 1, this.#content.subarray(from, from + blockBytes))
      effects.push({ kind: 'send', bytes })
    }
    return effects
  }

  #finish(outcome: TransferOutcome): readonly TransferEffect[] {
    this.#finished = true
    return [{ kind: 'finished', outcome }]
  }
}
