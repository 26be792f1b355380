/**
 * A machine's fencer: the same rules as the real one (`core/liveness/fencer.ts`), in a process that
 * outlives the agent's and kills what the simulated kernel runs, engine or no engine.
 */
import type { SeededRandom } from '../../src/base/random.ts'
import { FencerState } from '../../src/core/liveness/fencer.ts'
import type { Clock, Timer } from '../../src/ports/clock.ts'
import type { Fencer } from '../../src/ports/fencer.ts'
import { SimulatedClock, type SimulatedTime } from './clock.ts'
import type { SimulatedEngine } from './engine.ts'

/** From a pipe's one end to the other, and until it is read. */
const pipeMsMax = 5

export class SimulatedFencer {
  readonly #time: SimulatedTime
  readonly #random: SeededRandom
  readonly #engine: SimulatedEngine
  readonly #clock: SimulatedClock
  #state = new FencerState()
  #timer: Timer | undefined
  /** Grows with every death. */
  #life = 0
  /** Those that it was told of as of its last answer. */
  condemned: ReadonlySet<string> = new Set()
  /** Containers killed, for tests that count. */
  kills = 0

  constructor(time: SimulatedTime, random: SeededRandom, engine: SimulatedEngine, rate: number) {
    this.#time = time
    this.#random = random
    this.#engine = engine
    this.#clock = new SimulatedClock(time, random.fork(), { rate })
  }

  /** As a process reaches it. `heard` resolves when that can hear, and never once it is dead. */
  connect(
    clock: Pick<Clock, 'monotonicMs'>,
    heard: () => Promise<void>,
    isAlive = (): boolean => true,
  ): Fencer {
    return {
      tell: async ({ untilMs, guard, drop }) => {
        const leftMs = untilMs === undefined ? undefined : untilMs - clock.monotonicMs()
        const ownUntilMs = leftMs === undefined ? undefined : this.#clock.monotonicMs() + leftMs
        const order = { untilMs: ownUntilMs, guard: [...guard], drop: [...drop] }
        const life = this.#life
        await this.#pipe()
        // What was on its way when either of them died is heard by nobody.
        if (life !== this.#life || !isAlive()) return new Promise(() => undefined)
        const answer = this.#state.take(order, this.#clock.monotonicMs())
        this.condemned = new Set(answer.condemned.map(({ id }) => id))
        this.#act()
        await this.#pipe()
        await heard()
        return answer
      },
    }
  }

  setRate(rate: number): void {
    this.#clock.setRate(rate)
  }

  /** It dies with its machine, or alone; the next to ask gets one that knows nothing. */
  die(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#state = new FencerState()
    this.#life += 1
  }

  #act(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const id of this.#state.act(nowMs).kill) {
      if (this.#engine.running.some((each) => each.id === id)) this.kills += 1
      this.#engine.killContainer(id)
    }
    const nextMs = this.#state.nextMs(nowMs)
    this.#timer?.cancel()
    this.#timer =
      nextMs === undefined ? undefined : this.#clock.after(nextMs - nowMs, () => this.#act())
  }

  #pipe(): Promise<void> {
    return new Promise((resolve) =>
      this.#time.after(this.#random.fraction() * pipeMsMax, () => resolve()),
    )
  }
}
