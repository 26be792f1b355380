/**
 * One direction of a simulated TCP connection: in order, nothing twice, nothing missing. What a
 * cut holds up waits and goes on after it heals, a little later, as retransmissions do. Streams
 * do not wait for each other.
 *
 * One thing no TCP does: where the path's quality says so, a whole frame of the consensus arrives
 * twice, or after frames that were written later. It stands for what two members see of each
 * other over the several connections they keep: which of them is read first is the kernel's
 * choice, and a frame written as one of them breaks may or may not have arrived.
 */
import { frameKind } from '../../src/node/wire/kinds.ts'
import type { SimulatedNetwork } from './network.ts'

export type Segment =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** Everything before it has been sent, and nothing follows. */
  | { readonly kind: 'fin' }

export interface PipeEnds {
  readonly from: string
  readonly to: string
  readonly onArrival: (segment: Segment) => void
  /** The sender's kernel knows that bytes have arrived. */
  readonly onAcknowledged: () => void
  /** The last segment has arrived; the pipe is of no more use. */
  readonly onFinished: () => void
  /** The sender's kernel gives the connection up. */
  readonly onGivenUp: (reason: string) => void
}

/** Linux retransmits first after 200 ms, and doubles. */
const retransmitMs = 200
/** Linux gives up after 15 tries, some 924 s; five lost in a row break ours, to be seen at all. */
const lossesInARowMax = 5
const giveUpMs = 924_000

/** A message that others overtake is this late; a heartbeat's interval is 30 ms. */
const heldMsMax = 80

export class StreamPipe {
  readonly #network: SimulatedNetwork
  readonly #ends: PipeEnds
  readonly #stopHearing: () => void
  #queue: Segment[] = []
  #isMoving = false
  #isDead = false
  #isFinishing = false
  #lossesInARow = 0
  #blockedSinceMs: number | undefined
  /** Written and not yet known to have arrived. */
  #unacknowledgedBytes = 0
  /** Arrived, with the acknowledgement held up by a cut on the way back. */
  #arrivedBytes = 0

  constructor(network: SimulatedNetwork, ends: PipeEnds) {
    this.#network = network
    this.#ends = ends
    this.#stopHearing = network.onHealed(() => this.#retry())
  }

  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes
  }

  send(segment: Segment): void {
    if (this.#isDead) return
    const { from, to } = this.#ends
    const fate = isMessage(segment) ? this.#network.fateOfMessage(from, to) : 'usual'
    if (fate === 'overtaken') {
      const heldMs = this.#network.random.fraction() * heldMsMax
      // After the connection's end nothing follows: what was held back till then is lost with it.
      this.#network.time.after(heldMs, () => this.#enqueue(segment))
      return
    }
    if (fate === 'repeated') this.#enqueue(segment)
    this.#enqueue(segment)
  }

  #enqueue(segment: Segment): void {
    if (this.#isDead || this.#isFinishing) return
    this.#isFinishing = segment.kind === 'fin'
    this.#queue.push(segment)
    if (segment.kind === 'data') this.#unacknowledgedBytes += segment.bytes.length
    this.#move(this.#network.delayMs(this.#ends.from, this.#ends.to))
  }

  /** Whatever is under way is lost, and nothing is told. */
  kill(): void {
    this.#isDead = true
    this.#queue = []
    this.#stopHearing()
  }

  /** The network has changed for the better: what waits tries again. */
  #retry(): void {
    if (this.#isDead) return
    this.#acknowledge()
    if (this.#queue.length > 0) this.#move(this.#network.random.fraction() * retransmitMs)
  }

  #move(delayMs: number): void {
    if (this.#isMoving || this.#queue.length === 0) return
    this.#isMoving = true
    this.#network.time.after(delayMs, () => {
      this.#isMoving = false
      if (!this.#isDead) this.#arrive()
    })
  }

  #arrive(): void {
    const { from, to } = this.#ends
    if (!this.#network.isOpen(from, to) || this.#network.isFrozen(to)) {
      this.#waitForHealing()
      return
    }
    this.#blockedSinceMs = undefined
    if (this.#network.isLost(from, to)) {
      this.#lossesInARow += 1
      if (this.#lossesInARow > lossesInARowMax) this.#giveUp('too many packets were lost')
      else this.#move(retransmitMs * 2 ** (this.#lossesInARow - 1))
      return
    }
    this.#lossesInARow = 0
    const segment = this.#queue.shift()
    if (segment === undefined) return
    if (segment.kind === 'data') this.#arrivedBytes += segment.bytes.length
    this.#ends.onArrival(segment)
    if (segment.kind === 'fin') {
      this.kill()
      this.#ends.onFinished()
      return
    }
    this.#acknowledge()
    // Segments written together arrive together, one event each, so that others may run between.
    this.#move(0)
  }

  #waitForHealing(): void {
    if (this.#blockedSinceMs !== undefined) return
    const sinceMs = this.#network.time.nowMs
    this.#blockedSinceMs = sinceMs
    this.#network.time.after(giveUpMs, () => {
      if (!this.#isDead && this.#blockedSinceMs === sinceMs) this.#giveUp('the peer is silent')
    })
  }

  #giveUp(reason: string): void {
    this.kill()
    this.#ends.onGivenUp(reason)
  }

  #acknowledge(): void {
    const { from, to } = this.#ends
    if (this.#arrivedBytes === 0) return
    if (!this.#network.isOpen(to, from) || this.#network.isFrozen(from)) return
    this.#unacknowledgedBytes -= this.#arrivedBytes
    this.#arrivedBytes = 0
    this.#ends.onAcknowledged()
  }
}

/** Whoever sends messages of the consensus writes each as one frame: length, kind, payload. */
const isMessage = (segment: Segment): boolean =>
  segment.kind === 'data' && segment.bytes.length > 4 && segment.bytes[4] === frameKind.raft
