/**
 * The paths between named hosts: who can reach whom, how long it takes, and what is lost on the
 * way. One direction at a time, because real faults are often one-way. It carries nothing itself;
 * streams and datagrams ask it, and are told when something heals.
 */
import { assert } from '../../src/base/assert.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { SimulatedTime } from './clock.ts'

export interface PathQuality {
  /** One-way delay, uniform between the two. */
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** Of each packet, by itself. */
  readonly lossProbability: number
  /** Of each message of the consensus: that it arrives twice, or that the next ones overtake it. */
  readonly repeatProbability: number
  readonly overtakeProbability: number
}

const qualities = [
  'delayMsMin',
  'delayMsMax',
  'lossProbability',
  'repeatProbability',
  'overtakeProbability',
] as const satisfies readonly (keyof PathQuality)[]

/** Two machines on one switch. */
const switchQuality: PathQuality = {
  delayMsMin: 0.05,
  delayMsMax: 0.3,
  lossProbability: 0,
  repeatProbability: 0,
  overtakeProbability: 0,
}

export class SimulatedNetwork {
  readonly time: SimulatedTime
  readonly random: SeededRandom
  /** How often each has happened to a packet, or to a message of the consensus. */
  readonly counts = { lost: 0, repeated: 0, overtaken: 0 }
  readonly #usual: PathQuality
  readonly #quality = new Map<string, PathQuality>()
  readonly #cut = new Set<string>()
  /** Hosts without power: nothing reaches them and nothing leaves. */
  readonly #down = new Set<string>()
  /** Hosts whose process stands still: packets reach the kernel and wait there. */
  readonly #frozen = new Set<string>()
  readonly #onChange = new Set<() => void>()

  constructor(time: SimulatedTime, random: SeededRandom, usual: PathQuality = switchQuality) {
    this.time = time
    this.random = random
    this.#usual = usual
  }

  /** Nothing gets from `from` to `to` any more; the other way stays as it is. */
  cut(from: string, to: string): void {
    this.#cut.add(pathOf(from, to))
  }

  heal(from: string, to: string): void {
    if (this.#cut.delete(pathOf(from, to))) this.#changed()
  }

  /** Like `heal` for each; who listens is told once. */
  healPaths(paths: readonly (readonly [from: string, to: string])[]): void {
    const healed = paths.filter(([from, to]) => this.#cut.delete(pathOf(from, to)))
    if (healed.length > 0) this.#changed()
  }

  /** Cuts both ways between every host of one side and every host of the other. */
  partition(side: readonly string[], other: readonly string[]): void {
    for (const a of side) {
      for (const b of other) {
        this.cut(a, b)
        this.cut(b, a)
      }
    }
  }

  /** Every path is whole and as usual again. */
  healAll(): void {
    this.#cut.clear()
    this.#quality.clear()
    this.#changed()
  }

  setQuality(from: string, to: string, quality: Partial<PathQuality>): void {
    const whole = { ...this.quality(from, to), ...quality }
    assert(whole.delayMsMin <= whole.delayMsMax, 'a delay has its bounds in order')
    const isUsual = qualities.every((name) => whole[name] === this.#usual[name])
    if (isUsual) this.#quality.delete(pathOf(from, to))
    else this.#quality.set(pathOf(from, to), whole)
  }

  /** Those that `names` names are as usual again. */
  restoreQuality(from: string, to: string, names: readonly string[]): void {
    const usual = qualities.filter((name) => names.includes(name))
    this.setQuality(from, to, Object.fromEntries(usual.map((name) => [name, this.#usual[name]])))
  }

  quality(from: string, to: string): PathQuality {
    if (this.#quality.size === 0) return this.#usual
    return this.#quality.get(pathOf(from, to)) ?? this.#usual
  }

  /** A switched-off host loses what it had in its buffers; whoever keeps those looks at `isUp`. */
  powerOff(host: string): void {
    this.#down.add(host)
  }

  powerOn(host: string): void {
    if (this.#down.delete(host)) this.#changed()
  }

  freeze(host: string): void {
    this.#frozen.add(host)
  }

  thaw(host: string): void {
    if (this.#frozen.delete(host)) this.#changed()
  }

  isUp(host: string): boolean {
    return !this.#down.has(host)
  }

  isFrozen(host: string): boolean {
    return this.#frozen.has(host)
  }

  /** Whether a packet that leaves now arrives at the other machine at all, loss aside. */
  isOpen(from: string, to: string): boolean {
    const isCut = this.#cut.size > 0 && this.#cut.has(pathOf(from, to))
    return this.isUp(from) && this.isUp(to) && !isCut
  }

  /** One packet's time under way. */
  delayMs(from: string, to: string): number {
    const { delayMsMin, delayMsMax } = this.quality(from, to)
    return delayMsMin + this.random.fraction() * (delayMsMax - delayMsMin)
  }

  isLost(from: string, to: string): boolean {
    const { lossProbability } = this.quality(from, to)
    const isLost = lossProbability > 0 && this.random.chance(lossProbability)
    if (isLost) this.counts.lost += 1
    return isLost
  }

  /** What becomes of one message of the consensus on its way. */
  fateOfMessage(from: string, to: string): 'usual' | 'repeated' | 'overtaken' {
    const { repeatProbability, overtakeProbability } = this.quality(from, to)
    const happens = (probability: number): boolean =>
      probability > 0 && this.random.chance(probability)
    if (happens(repeatProbability)) {
      this.counts.repeated += 1
      return 'repeated'
    }
    if (!happens(overtakeProbability)) return 'usual'
    this.counts.overtaken += 1
    return 'overtaken'
  }

  /** Calls `listener` when a path, a host or a process has come back. Returns the way to stop. */
  onHealed(listener: () => void): () => void {
    this.#onChange.add(listener)
    return () => this.#onChange.delete(listener)
  }

  #changed(): void {
    for (const listener of this.#onChange) listener()
  }
}

const pathOf = (from: string, to: string): string => `${from} > ${to}`
