/**
 * When each machine was last heard, and what it said of itself then, as one voter knows it. Every
 * voter keeps one; a new leader merges those of all voters it can reach, so that an election makes
 * nobody look dead, and no announced silence is forgotten.
 */
import { assert } from '../../base/assert.ts'
import type { MachineId } from '../../base/ids.ts'

/** More machines than the product is made for; beyond it, the longest unchanged is forgotten. */
export const maxPulsingMachines = 20_000

/** Where a pulse stands among its agent's: two voters carry them, and may overtake each other. */
export interface PulsePlace {
  /** The agent's process: another one begins again at 1. */
  readonly run: string
  readonly sequence: number
}

/** What a pulse says that later ones may take back. */
export interface PulseWord {
  /** Undefined for an agent that does not number its pulses. */
  readonly place: PulsePlace | undefined
  /** A planned silence ends then, on this voter's monotonic clock; 0 when there is none. */
  readonly silentUntilMs: number
}

/** As one voter tells it another: ages, because monotonic clocks share no zero. */
export interface PulseAge {
  readonly machine: MachineId
  readonly ageMs: number
  /** The machine's last pulse, and how long ago it came, where there was one with a number. */
  readonly last?: PulsePlace & { readonly ageMs: number }
  /** What is left of the silence that it announced. */
  readonly silentForMs?: number
}

interface Heard {
  readonly atMs: number
  readonly word: (PulseWord & { readonly saidAtMs: number }) | undefined
}

/**
 * Whether a pulse at `place` was sent before one at `than`, of the same process. Of two processes,
 * or without numbers, nothing can be told from this.
 */
export const isEarlier = (place: PulsePlace | undefined, than: PulsePlace | undefined): boolean =>
  place !== undefined && place.run === than?.run && place.sequence < than.sequence

/** Invariant: a machine's time only grows. The map is in order of the last change. */
export class PulseTable {
  readonly #heard = new Map<MachineId, Heard>()

  /** A machine was heard at `atMs`, and said `word` if that was a pulse. */
  heard(machine: MachineId, atMs: number, word?: PulseWord): void {
    const before = this.#heard.get(machine)
    const isLater = before === undefined || before.atMs < atMs
    const isNews = word !== undefined && isNewer(word, atMs, before?.word)
    if (!isLater && !isNews) return
    this.#heard.delete(machine)
    this.#heard.set(machine, {
      atMs: isLater ? atMs : before.atMs,
      word: isNews ? { ...word, saidAtMs: atMs } : before?.word,
    })
    if (this.#heard.size > maxPulsingMachines) {
      const oldest = this.#heard.keys().next()
      if (oldest.done !== true) this.#heard.delete(oldest.value)
    }
  }

  heardAtMs(machine: MachineId): number | undefined {
    return this.#heard.get(machine)?.atMs
  }

  /** When the silence that the machine's last pulse announced ends; 0 when it announced none. */
  silentUntilMs(machine: MachineId): number {
    return this.#heard.get(machine)?.word?.silentUntilMs ?? 0
  }

  /** Those heard within `windowMs`: older ones say nothing that absence does not. */
  ages(nowMs: number, windowMs: number): PulseAge[] {
    const ages: PulseAge[] = []
    for (const [machine, { atMs, word }] of this.#heard) {
      assert(atMs <= nowMs, 'nothing is heard in the future')
      if (nowMs - atMs > windowMs) continue
      const age = { machine, ageMs: nowMs - atMs }
      if (word?.place === undefined) ages.push(age)
      else {
        const last = { ...word.place, ageMs: nowMs - word.saidAtMs }
        ages.push({ ...age, last, silentForMs: Math.max(0, word.silentUntilMs - nowMs) })
      }
    }
    return ages
  }

  /** Takes what another voter told. Its travel makes a machine look younger, never older. */
  merge(ages: readonly PulseAge[], nowMs: number): void {
    for (const { machine, ageMs, last, silentForMs = 0 } of ages) {
      if (ageMs < 0) continue
      this.heard(machine, nowMs - ageMs)
      if (last === undefined) continue
      const { run, sequence } = last
      const silentUntilMs = silentForMs > 0 ? nowMs + silentForMs : 0
      this.heard(machine, nowMs - last.ageMs, { place: { run, sequence }, silentUntilMs })
    }
  }
}

/** Of two processes of an agent, the one that was heard later is the later one. */
function isNewer(word: PulseWord, atMs: number, than: Heard['word']): boolean {
  if (than === undefined) return true
  const { place } = word
  if (place === undefined || place.run !== than.place?.run) return atMs > than.saidAtMs
  return place.sequence > than.place.sequence
}
