/** A story in steps, told line by line as things are seen to happen. */
import { describeError, isJangadaError } from '../../../base/errors.ts'
import type { Clock } from '../../../ports/clock.ts'

export interface StepOutcome {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
}

export interface StoryEnvironment {
  readonly clock: Clock
  readonly print: (line: string) => void
  /** The last log lines of a machine, for a step that failed. */
  readonly evidence: (machine: string) => Promise<string>
}

const secondsWidth = 8

/** Invariant: a step runs only if all before it were seen. */
export class Story {
  readonly #environment: StoryEnvironment
  readonly #outcomes: StepOutcome[] = []
  readonly #planned: number
  #zeroMs: number
  #concerned: readonly string[] = []

  /** `planned` steps make the whole story. */
  constructor(environment: StoryEnvironment, planned: number) {
    this.#environment = environment
    this.#planned = planned
    this.#zeroMs = environment.clock.monotonicMs()
  }

  get outcomes(): readonly StepOutcome[] {
    return this.#outcomes
  }

  get whole(): boolean {
    return this.#seen() === this.#planned
  }

  lastLine(): string {
    return `main job: ${this.#seen()} of ${this.#planned} steps seen`
  }

  /** Tells `work` as one step; after a step that was not seen, the others are not tried. */
  async step(
    letter: string,
    name: string,
    title: string,
    work: () => Promise<void>,
  ): Promise<void> {
    if (this.#outcomes.some(({ ok }) => !ok)) return
    const { clock, print } = this.#environment
    print(`${letter}. ${title}`)
    this.startClock()
    this.#concerned = []
    const startedMs = clock.monotonicMs()
    const seconds = (): number => Math.round(clock.monotonicMs() - startedMs) / 1000
    try {
      await work()
      this.#outcomes.push({ name, ok: true, seconds: seconds() })
    } catch (error) {
      this.#outcomes.push({ name, ok: false, seconds: seconds() })
      this.note(`NOT SEEN: ${describeError(error)}`)
      if (isJangadaError(error) && error.hint !== undefined) print(`  ${error.hint}`)
      await this.#showEvidence()
    }
  }

  /** Seconds of the following lines count from here, or from `atMs` on the monotonic clock. */
  startClock(atMs: number = this.#environment.clock.monotonicMs()): void {
    this.#zeroMs = atMs
  }

  /** A line with the time that has passed, or that had passed at `atMs`. */
  note(text: string, atMs: number = this.#environment.clock.monotonicMs()): void {
    const seconds = ((atMs - this.#zeroMs) / 1000).toFixed(1)
    this.#environment.print(`${`${seconds} s`.padStart(secondsWidth)}  ${text}`)
  }

  /** Lines of a table, without a time. */
  show(lines: readonly string[]): void {
    for (const line of lines) this.#environment.print(`${' '.repeat(secondsWidth)}  ${line}`)
  }

  /** Whose logs to show if this step fails from here on. */
  concerns(...machines: string[]): void {
    this.#concerned = machines
  }

  #seen(): number {
    return this.#outcomes.filter(({ ok }) => ok).length
  }

  async #showEvidence(): Promise<void> {
    const { print, evidence } = this.#environment
    for (const machine of this.#concerned) {
      print(`  the last words of ${machine}:`)
      const text = await evidence(machine).catch(describeError)
      for (const line of text.split('\n')) print(`    ${line}`)
    }
  }
}
