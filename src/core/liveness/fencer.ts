/**
 * What a fencer does: the small process beside an agent that stops the units which must never run
 * twice (`Fencing=stop`) when nothing has said for too long that their machine is heard.
 *
 * Invariant: a container that was guarded when the deadline passed is condemned for ever, whatever
 * deadline comes later: a start of it that an engine finishes late brings it into no other time.
 */

/** More units than one machine runs; what is beyond is not guarded, and so not started. */
export const guardedMax = 4096
/** Between two looks at what is condemned: its processes may have forked, or it may only come now. */
const lookEveryMs = 50

export interface Guarded {
  /** The container's. */
  readonly id: string
  readonly unit: string
  /** From its signal to stop until it is killed. */
  readonly graceMs: number
}

export interface FencerOrder {
  /** Nothing is stopped before. Undefined: as it was said last. */
  readonly untilMs: number | undefined
  readonly guard: readonly Guarded[]
  /** Containers that are no more, or will never run again. */
  readonly drop: readonly string[]
}

export interface Condemned {
  readonly id: string
  readonly unit: string
  /** How long after its deadline it was seen to be over; 0 where there was no deadline at all. */
  readonly lateMs: number
}

export interface FencerAnswer {
  /** How many it guards, of those that are to be. */
  readonly guarded: number
  readonly condemned: readonly Condemned[]
}

export interface FencerActs {
  /** Told to stop, once. */
  readonly terminate: readonly string[]
  /** Killed, and again, and when they come only now. */
  readonly kill: readonly string[]
}

interface Sentence extends Condemned {
  readonly killAtMs: number
  isTold: boolean
}

/** All times are of one clock of the machine, one that no step of the time of day moves. */
export class FencerState {
  /** At first: whoever guarded before is gone, and until when it was to nobody knows. */
  #untilMs = -Infinity
  readonly #guarded = new Map<string, Guarded>()
  readonly #condemned = new Map<string, Sentence>()

  take({ untilMs, guard, drop }: FencerOrder, nowMs: number): FencerAnswer {
    this.#lapse(nowMs)
    for (const id of drop) {
      this.#guarded.delete(id)
      this.#condemned.delete(id)
    }
    if (untilMs !== undefined) this.#untilMs = Math.max(this.#untilMs, untilMs)
    for (const each of guard) {
      if (this.#condemned.has(each.id)) continue
      const isFull = this.#guarded.size + this.#condemned.size >= guardedMax
      if (!isFull || this.#guarded.has(each.id)) this.#guarded.set(each.id, each)
    }
    this.#lapse(nowMs)
    const condemned = [...this.#condemned.values()].map(({ id, unit, lateMs }) => {
      return { id, unit, lateMs }
    })
    return { guarded: this.#guarded.size, condemned }
  }

  /** The machine stood still for so long, and this clock with it. */
  stoodStill(forMs: number): void {
    this.#untilMs -= forMs
  }

  act(nowMs: number): FencerActs {
    this.#lapse(nowMs)
    const terminate: string[] = []
    const kill: string[] = []
    for (const sentence of this.#condemned.values()) {
      if (sentence.killAtMs <= nowMs) kill.push(sentence.id)
      else if (!sentence.isTold) terminate.push(sentence.id)
      sentence.isTold = true
    }
    return { terminate, kill }
  }

  /** When to act next; undefined while there is nothing to guard. */
  nextMs(nowMs: number): number | undefined {
    if (this.#condemned.size > 0) return nowMs + lookEveryMs
    return this.#guarded.size > 0 ? this.#untilMs : undefined
  }

  #lapse(nowMs: number): void {
    if (nowMs < this.#untilMs) return
    const isFirst = this.#untilMs === -Infinity
    for (const { id, unit, graceMs } of this.#guarded.values()) {
      const lateMs = isFirst ? 0 : Math.round(nowMs - this.#untilMs)
      const killAtMs = isFirst ? nowMs + graceMs : this.#untilMs + graceMs
      this.#condemned.set(id, { id, unit, lateMs, killAtMs, isTold: false })
    }
    this.#guarded.clear()
  }
}
