/**
 * The append messages on their way to one follower: a queue of (last index, bytes), bounded both
 * ways. Acknowledging an index frees every message that ends at or before it.
 */
import { assert } from '../../base/assert.ts'
import type { Index } from '../../base/ids.ts'

export class Inflights {
  readonly #maxMessages: number
  readonly #maxBytes: number
  /** Invariant: `last` does not descend. */
  #messages: { readonly last: Index; readonly bytes: number }[] = []
  /** Invariant: the sum of `bytes` over `#messages`. */
  #bytes = 0

  constructor(maxMessages: number, maxBytes: number) {
    assert(maxMessages > 0, 'one message may always be on its way')
    assert(maxBytes > 0, 'some bytes may always be on their way')
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#messages.length
  }

  get bytes(): number {
    return this.#bytes
  }

  get full(): boolean {
    return this.#messages.length >= this.#maxMessages || this.#bytes >= this.#maxBytes
  }

  /** A message ending at `last` left. The one that passes the byte bound is still taken. */
  add(last: Index, bytes: number): void {
    assert(!this.full, 'no message leaves while the bound is reached')
    assert(last >= (this.#messages.at(-1)?.last ?? 0), 'messages leave in order')
    this.#messages.push({ last, bytes })
    this.#bytes += bytes
  }

  /** Everything up to and including `index` arrived. */
  freeUpTo(index: Index): void {
    let freed = 0
    while (freed < this.#messages.length) {
      const message = this.#messages[freed] as { last: Index; bytes: number }
      if (message.last > index) break
      this.#bytes -= message.bytes
      freed += 1
    }
    if (freed > 0) this.#messages.splice(0, freed)
    assert(this.#bytes >= 0, 'no byte is freed twice')
    assert(this.#messages.length > 0 || this.#bytes === 0, 'no byte is left behind')
  }

  reset(): void {
    this.#messages = []
    this.#bytes = 0
  }
}
