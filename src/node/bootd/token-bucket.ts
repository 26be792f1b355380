/** At most `perSecond` events over time, and at most `burst` at once. */
import { assert } from '../../base/assert.ts'

export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  /** Invariant: 0 <= tokens <= burst. */
  #tokens: number
  #atMs: number

  constructor(perSecond: number, burst: number, nowMs: number) {
    assert(perSecond > 0 && burst >= 1, 'a bucket lets something through')
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = nowMs
  }

  /** True, and one token fewer, when there is one. `nowMs` is monotonic. */
  take(nowMs: number): boolean {
    const gained = (Math.max(0, nowMs - this.#atMs) * this.#perSecond) / 1000
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#atMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
