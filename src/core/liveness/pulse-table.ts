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
export interface PulseWord extends PulsePlace {
  /** A planned silence ends then, on this voter's monotonic clock; 0 when there is none. */
  readonly silentUntilMs: number
}

/** As one voter tells it another: ages, because monotonic clocks share no zero. */
export interface PulseAge {
  readonly machine: MachineId
  readonly ageMs: number
  /** What is left of a planned silence. */
  readonly silentForMs: number
  /** The machine's last pulse; null when it was never heard but by its registration. */
  readonly last: PulsePlace | null
}

interface Heard {
  readonly atMs: number
  readonly word: PulseWord | undefined
}

/** Invariant: a machine's time only grows. The map is in order of the last change. */
export class PulseTable {
  readonly #heard = new Map<MachineId, Heard>()

  /**
   * A machine was heard at `atMs`, and said `word` if that was a pulse. False when that pulse had
   * been overtaken by a later one: it lives, and what it said then is not news any more.
   */
  heard(machine: MachineId, atMs: number, word?: PulseWord): boolean {
    const before = this.#heard.get(machine)
    const isOvertaken = word !== undefined && isBefore(word, before?.word)
    const isLater = before === undefined || before.atMs < atMs
    const isNews = word !== undefined && !isOvertaken && !isSame(word, before?.word)
    if (isLater || isNews) {
      this.#heard.delete(machine)
      this.#heard.set(machine, {
        atMs: isLater ? atMs : before.atMs,
        word: isNews ? word : before?.word,
      })
    }
    if (this.#heard.size > maxPulsingMachines) {
      const oldest = this.#heard.keys().next()
      if (oldest.done !== true) this.#heard.delete(oldest.value)
    }
    return !isOvertaken
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
      const last = word === undefined ? null : { run: word.run, sequence: word.sequence }
      const silentForMs = Math.max(0, (word?.silentUntilMs ?? 0) - nowMs)
      ages.push({ machine, ageMs: nowMs - atMs, silentForMs, last })
    }
    return ages
  }

  /** Takes what another voter told. Its travel makes a machine look younger, never older. */
  merge(ages: readonly PulseAge[], nowMs: number): void {
    for (const { machine, ageMs, silentForMs, last } of ages) {
      if (ageMs < 0) continue
      const silentUntilMs = silentForMs > 0 ? nowMs + silentForMs : 0
      this.heard(machine, nowMs - ageMs, last === null ? undefined : { ...last, silentUntilMs })
    }
  }
}

/** Of two processes of an agent, the one that was heard later counts as the later one. */
const isBefore = (place: PulsePlace, than: PulsePlace | undefined): boolean =>
  than !== undefined && place.run === than.run && place.sequence < than.sequence

const isSame = (place: PulsePlace, as: PulsePlace | undefined): boolean =>
  as !== undefined && place.run === as.run && place.sequence === as.sequence
