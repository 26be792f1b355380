/**
 * A first-in first-out queue with a bound. A full queue refuses; it never grows.
 *
 * Invariant: 0 <= length <= capacity.
 */
import { assert } from './assert.ts'

export class BoundedQueue<T> {
  readonly capacity: number
  #items: T[] = []
  #head = 0

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a queue holds at least one item')
    this.capacity = capacity
  }

  get length(): number {
    return this.#items.length - this.#head
  }

  /** False, and nothing changed, when the queue is full. */
  push(item: T): boolean {
    if (this.length >= this.capacity) return false
    this.#items.push(item)
    return true
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head] as T
    this.#head += 1
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Removes and returns everything, oldest first. */
  drain(): T[] {
    const items = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return items
  }
}
