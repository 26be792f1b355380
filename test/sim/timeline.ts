/**
 * What happened, in order, with its times: what a person reads when a seed fails, and, hashed,
 * what tells whether two runs of one seed were the same.
 */
import { createHash } from 'node:crypto'

/** More lines than this tell nobody anything; the first go. */
const linesMax = 20_000

export class Timeline {
  readonly #nowMs: () => number
  readonly #hash = createHash('sha256')
  readonly #onLine: (line: string) => void
  #lines: string[] = []

  constructor(nowMs: () => number, onLine: (line: string) => void = () => undefined) {
    this.#nowMs = nowMs
    this.#onLine = onLine
  }

  /** `who` is a machine, or what else acts: `network`, `client 2`. */
  note(who: string, what: string): void {
    const line = `${this.#nowMs().toFixed(3).padStart(12)}  ${who.padEnd(9)} ${what}`
    this.digest(line)
    this.#lines.push(line)
    if (this.#lines.length > linesMax) this.#lines = this.#lines.slice(linesMax / 2)
    this.#onLine(line)
  }

  /** Counts for the hash and is not shown. */
  digest(text: string): void {
    this.#hash.update(text).update('\n')
  }

  /** The last `count` lines, oldest first. */
  tail(count: number): readonly string[] {
    return this.#lines.slice(-count)
  }

  /** Of everything so far. */
  hashHex(): string {
    return this.#hash.copy().digest('hex')
  }
}
