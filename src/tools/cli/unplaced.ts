/** Tells who waits for units why one has no machine: when it is known, and when the reason changes. */
import { isJangadaError } from '../../base/errors.ts'
import { reasonsByMachine } from '../../base/reasons-text.ts'
import type { UnitRow, WhyAnswer } from '../../node/api/answers.ts'
import type { CliEnvironment } from './environment.ts'
import { type NodeClient, segment } from './node-client.ts'

/** A unit that has been without a machine for so long is not just about to be placed. */
const placedWithinMs = 1000
/** Each question is a look at the whole cluster: between two about the same unit, and between any two. */
const askAgainMs = 5000
const askNextMs = 500
/** In one wait. */
const linesMax = 20

export class Unplaced {
  readonly #environment: CliEnvironment
  readonly #node: NodeClient
  readonly #asked = new Map<string, { readonly atMs: number; readonly reason: string }>()
  #linesLeft = linesMax
  #nextMs = 0
  /** How long the wait is at most, for people. */
  readonly #limit: string
  #isWaitTold = false

  /** `timeoutMs`: of the wait; 0 is for ever. */
  constructor(environment: CliEnvironment, node: NodeClient, timeoutMs: number) {
    this.#environment = environment
    this.#node = node
    this.#limit = timeoutMs === 0 ? '' : ` up to ${timeoutMs / 1000} s`
  }

  /** `rows` are all of one unit's; `sinceMs` is how long they have looked like this. */
  async look(name: string, rows: readonly UnitRow[], sinceMs: number): Promise<void> {
    const [row] = rows
    const isWanted = row?.machine === null && row.desired !== 'inactive'
    if (!isWanted || sinceMs < placedWithinMs || this.#linesLeft === 0) return
    const nowMs = this.#environment.monotonicMs()
    const before = this.#asked.get(name)
    // Who has not been asked about yet comes first.
    const againMs = Math.max(askAgainMs, (this.#asked.size + 1) * askNextMs)
    if (before !== undefined && nowMs - before.atMs < againMs) return
    const asks = row.sub === 'unplaced'
    if (asks && nowMs < this.#nextMs) return
    const reason = asks ? await this.#reasonOf(name) : row.message
    if (asks) this.#nextMs = this.#environment.monotonicMs() + askNextMs
    this.#asked.set(name, { atMs: nowMs, reason: reason ?? before?.reason ?? '' })
    if (reason === undefined || reason === before?.reason) return
    this.#linesLeft -= 1
    this.#environment.stderr(`${name} is not placed: ${reason}\n`)
    if (!this.#isWaitTold) {
      this.#isWaitTold = true
      const wait = `waiting${this.#limit} for that to change; to end this wait takes nothing back`
      this.#environment.stderr(`${wait}\n`)
    }
    if (this.#linesLeft === 0) this.#environment.stderr('further reasons are not told here\n')
  }

  /** Of a unit for every machine, for which nobody waits: that no machine may run it. */
  async tellNowhere(name: string): Promise<void> {
    const reason = await this.#reasonOf(name)
    if (reason !== undefined) this.#environment.stderr(`${name} runs nowhere: ${reason}\n`)
  }

  /** Undefined where there is none: a machine may run it, and will in a moment. */
  async #reasonOf(name: string): Promise<string | undefined> {
    try {
      return reasonText(await this.#node.get<WhyAnswer>(`/v1/units/${segment(name)}/why`))
    } catch (error) {
      // What is wrong with the unit, or with the node, the wait itself finds out.
      if (isJangadaError(error)) return undefined
      throw error
    }
  }
}

function reasonText({ machines }: WhyAnswer): string | undefined {
  if (machines.some(({ verdict }) => verdict !== 'refused')) return undefined
  if (machines.length === 0) return 'there is no machine in this cluster yet'
  return reasonsByMachine(machines)
}
