/** What agent and fencer tell each other over their socket: one JSON text a line. */
import { assert } from '../base/assert.ts'
import type { FencerAnswer, FencerOrder } from '../core/liveness/fencer.ts'

/** Of the largest order: every container that may be guarded, several times over. */
const lineBytesMax = 4 * 1024 * 1024

/** Where the fencer that listens there has written the number of its process. */
export const pidFile = (socketPath: string): string => `${socketPath}.pid`

/** Cuts a stream into lines. Throws when one grows too long. */
export class Lines {
  #rest = ''

  take(bytes: Uint8Array): string[] {
    const parts = (this.#rest + Buffer.from(bytes).toString('utf8')).split('\n')
    this.#rest = parts.pop() ?? ''
    assert(this.#rest.length <= lineBytesMax, 'a line has its bound')
    return parts
  }
}

export interface NumberedOrder {
  readonly number: number
  readonly order: FencerOrder
}

export const writeOrder = ({ number, order }: NumberedOrder): string =>
  `${JSON.stringify({ number, ...order })}\n`

/** Throws when it is none. Both ends are of this binary, or of one a release apart. */
export function readOrder(line: string): NumberedOrder {
  const read = JSON.parse(line) as Record<string, unknown>
  const { number, untilMs, guard, drop } = read
  assert(typeof number === 'number' && Array.isArray(guard) && Array.isArray(drop), 'an order')
  assert(untilMs === undefined || typeof untilMs === 'number', 'a time, or none')
  const guarded = guard.map((each: Record<string, unknown>) => {
    const { id, unit, graceMs } = each
    assert(typeof id === 'string' && typeof unit === 'string', 'a container')
    assert(typeof graceMs === 'number' && graceMs >= 0, 'a grace')
    return { id, unit, graceMs }
  })
  return { number, order: { untilMs, guard: guarded, drop: drop.map(String) } }
}

export function readAnswer(line: string): FencerAnswer & { readonly number: number } {
  const read = JSON.parse(line) as FencerAnswer & { readonly number: number }
  assert(typeof read.number === 'number' && Array.isArray(read.condemned), 'an answer')
  return read
}
