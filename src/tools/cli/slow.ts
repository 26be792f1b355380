/** Tells who waits for units what one is about that takes its time; a terminal shows each change anyway. */
import type { UnitRow } from '../../node/api/answers.ts'
import type { CliEnvironment } from './environment.ts'
import { rowText } from './unit-row.ts'

/** Most starts and stops are over by then. */
const slowMs = 3000
/** In one wait. */
const linesMax = 20

export class Slow {
  readonly #environment: CliEnvironment
  /** What was told of each unit last. */
  readonly #told = new Map<string, string>()
  #linesLeft = linesMax

  constructor(environment: CliEnvironment) {
    this.#environment = environment
  }

  /** `rows` are all of one unit's; `sinceMs` is how long they have looked like this. */
  look(name: string, rows: readonly UnitRow[], sinceMs: number): void {
    // Of one that has no machine `Unplaced` tells.
    const there = rows.filter(({ machine }) => machine !== null)
    const text = there.map(rowText).join('; ')
    if (sinceMs < slowMs || text === '' || this.#told.get(name) === text) return
    this.#told.set(name, text)
    if (this.#environment.isTty || this.#linesLeft === 0) return
    this.#linesLeft -= 1
    this.#environment.stderr(`${name} is still ${text}\n`)
  }
}
