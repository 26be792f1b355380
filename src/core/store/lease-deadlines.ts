/**
 * When leases run out. Keep-alives are not in the log: the leader alone keeps deadlines, on its
 * own monotonic clock, and proposes a revocation for what ran out. A new leader begins anew and
 * grants every lease its full time again, because nobody told it of earlier keep-alives.
 *
 * Pure: times are arguments, in milliseconds of one monotonic clock.
 */
import { assert } from '../../base/assert.ts'
import type { LeaseId } from './types.ts'

interface Waiting {
  readonly id: LeaseId
  /** Never after the lease's deadline: a keep-alive moves the deadline and leaves this be. */
  readonly wakeAtMs: number
}

interface Running {
  readonly ttlMs: number
  deadlineMs: number
}

/** More than twice the leases may wait, by so many, before the heap is made anew. */
const waitingMax = 64

export class LeaseDeadlines {
  readonly #running = new Map<LeaseId, Running>()
  /** A binary heap by `wakeAtMs`. Invariant: it holds every running lease at least once. */
  #heap: Waiting[] = []

  /** Granted, or ended, and not forgotten since. */
  has(id: LeaseId): boolean {
    return this.#running.has(id)
  }

  grant(id: LeaseId, ttlMs: number, nowMs: number): void {
    assert(ttlMs > 0, 'a lease has time to live')
    const deadlineMs = nowMs + ttlMs
    this.#running.set(id, { ttlMs, deadlineMs })
    this.#push({ id, wakeAtMs: deadlineMs })
  }

  /** False when the lease is not known here, or has already run out. */
  keepAlive(id: LeaseId, nowMs: number): boolean {
    const running = this.#running.get(id)
    if (running === undefined || running.deadlineMs <= nowMs) return false
    running.deadlineMs = Math.max(running.deadlineMs, nowMs + running.ttlMs)
    return true
  }

  /** It runs out now, known or not: nobody keeps it alive any more. */
  end(id: LeaseId, nowMs: number): void {
    const running = this.#running.get(id)
    if (running === undefined) this.#running.set(id, { ttlMs: 1, deadlineMs: nowMs })
    else running.deadlineMs = Math.min(running.deadlineMs, nowMs)
    this.#push({ id, wakeAtMs: nowMs })
  }

  /** The lease was revoked. Absent is fine. */
  forget(id: LeaseId): void {
    this.#running.delete(id)
    if (this.#heap.length > 2 * this.#running.size + waitingMax) this.#rebuild()
  }

  /** Those that were forgotten long before their time would otherwise wait here until then. */
  #rebuild(): void {
    this.#heap = []
    for (const [id, { deadlineMs }] of this.#running) this.#push({ id, wakeAtMs: deadlineMs })
  }

  /** At most `limit` leases that have run out; told again until `forget` is called for them. */
  expired(nowMs: number, limit: number): LeaseId[] {
    const ids: LeaseId[] = []
    const again: Waiting[] = []
    while (ids.length < limit) {
      const top = this.#heap[0]
      if (top === undefined || top.wakeAtMs > nowMs) break
      this.#pop()
      const running = this.#running.get(top.id)
      if (running === undefined) continue
      if (running.deadlineMs > nowMs) {
        again.push({ id: top.id, wakeAtMs: running.deadlineMs })
        continue
      }
      // One that `end` hurried waits twice: once is enough.
      if (ids.includes(top.id)) continue
      ids.push(top.id)
      again.push({ id: top.id, wakeAtMs: running.deadlineMs })
    }
    for (const waiting of again) this.#push(waiting)
    return ids
  }

  /** What is held for the leases there are, and for some that are gone. */
  get waiting(): number {
    return this.#heap.length
  }

  /** No lease runs out before this time; undefined when there is none. It may be too early. */
  nextWakeMs(): number | undefined {
    return this.#heap[0]?.wakeAtMs
  }

  #push(waiting: Waiting): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(waiting)
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (heap[parent]!.wakeAtMs <= waiting.wakeAtMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = waiting
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.wakeAtMs < heap[child]!.wakeAtMs) child += 1
      if (heap[child]!.wakeAtMs >= last.wakeAtMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
