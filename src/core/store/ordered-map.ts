/**
 * A map from strings to values, ordered by code unit, for a million keys and more.
 *
 * A sorted array of chunks, each a sorted array of at most `chunkLength` keys: two binary
 * searches find a key, and an insertion moves at most one chunk's keys. A B-tree of two levels,
 * in effect, whose arrays the engine keeps compact.
 *
 * Invariants: no chunk is empty; keys ascend strictly within a chunk and from chunk to chunk;
 * `keys` and `values` of a chunk have one length.
 */
import { assert } from '../../base/assert.ts'

const chunkLength = 256
/** Neighbours this small together become one chunk. */
const mergeLength = chunkLength / 2

interface Chunk<V> {
  readonly keys: string[]
  readonly values: V[]
}

export class OrderedMap<V> {
  readonly #chunks: Chunk<V>[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (chunk === undefined) return undefined
    const at = lowerBound(chunk.keys, key)
    return chunk.keys[at] === key ? chunk.values[at] : undefined
  }

  set(key: string, value: V): void {
    const chunkAt = this.#chunkOf(key)
    const chunk = this.#chunks[chunkAt]
    if (chunk === undefined) {
      assert(this.#chunks.length === 0, 'only an empty map has no chunk for a key')
      this.#chunks.push({ keys: [key], values: [value] })
      this.#size = 1
      return
    }
    const at = lowerBound(chunk.keys, key)
    if (chunk.keys[at] === key) {
      chunk.values[at] = value
      return
    }
    this.#size += 1
    if (chunk.keys.length < chunkLength) insert(chunk, at, key, value)
    else this.#split(chunkAt, at, key, value)
  }

  /** False when the key is absent. */
  delete(key: string): boolean {
    const chunkAt = this.#chunkOf(key)
    const chunk = this.#chunks[chunkAt]
    if (chunk === undefined) return false
    const at = lowerBound(chunk.keys, key)
    if (chunk.keys[at] !== key) return false
    chunk.keys.splice(at, 1)
    chunk.values.splice(at, 1)
    this.#size -= 1
    this.#merge(chunkAt)
    return true
  }

  /**
   * Visits, in order, the keys from `from` on that are below `end` (all, when it is undefined),
   * until `visit` returns false. The map must not change meanwhile.
   */
  scan(from: string, end: string | undefined, visit: (key: string, value: V) => boolean): void {
    let chunkAt = this.#chunkOf(from)
    let at = lowerBound(this.#chunks[chunkAt]?.keys ?? [], from)
    for (; chunkAt < this.#chunks.length; chunkAt += 1, at = 0) {
      const { keys, values } = this.#chunks[chunkAt] as Chunk<V>
      for (; at < keys.length; at += 1) {
        const key = keys[at] as string
        if (end !== undefined && key >= end) return
        if (!visit(key, values[at] as V)) return
      }
    }
  }

  /** The place of the only chunk that may hold `key`: the last whose first key is not above it. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.#chunks[middle] as Chunk<V>).keys[0]! <= key) low = middle
      else high = middle - 1
    }
    return low
  }

  #split(chunkAt: number, at: number, key: string, value: V): void {
    const chunk = this.#chunks[chunkAt] as Chunk<V>
    assert(chunk.keys.length === chunkLength, 'only a full chunk is split')
    if (at === chunkLength) {
      // Keys that come in order (a restore, a log of events) leave full chunks behind them.
      this.#chunks.splice(chunkAt + 1, 0, { keys: [key], values: [value] })
      return
    }
    const half = chunkLength / 2
    const upper = { keys: chunk.keys.splice(half), values: chunk.values.splice(half) }
    this.#chunks.splice(chunkAt + 1, 0, upper)
    if (at <= half) insert(chunk, at, key, value)
    else insert(upper, at - half, key, value)
  }

  #merge(chunkAt: number): void {
    const chunk = this.#chunks[chunkAt] as Chunk<V>
    if (chunk.keys.length === 0) {
      this.#chunks.splice(chunkAt, 1)
      return
    }
    const next = this.#chunks[chunkAt + 1]
    if (next === undefined || chunk.keys.length + next.keys.length > mergeLength) return
    chunk.keys.push(...next.keys)
    chunk.values.push(...next.values)
    this.#chunks.splice(chunkAt + 1, 1)
  }
}

function insert<V>(chunk: Chunk<V>, at: number, key: string, value: V): void {
  chunk.keys.splice(at, 0, key)
  chunk.values.splice(at, 0, value)
}

/** The first place in `keys`, which ascend, whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
