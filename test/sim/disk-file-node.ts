/** A simulated file: what processes see, what the medium holds, and the writes between the two. */
import type { SeededRandom } from '../../src/base/random.ts'
import type { DiskFaultCounts } from './disk.ts'

/** Media write sectors whole: a torn write is whole sectors of it, and no order among them. */
const sectorBytes = 512

type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number }

/** Invariant: applying `#unsynced` in order to `#durable` gives `#view`, unless a sync has failed. */
export class FileNode {
  #view = new Content()
  #durable = new Content()
  #unsynced: Change[] = []
  /** Changes that have left `#unsynced`, so that a mark keeps its meaning. */
  #settled = 0

  get length(): number {
    return this.#view.length
  }

  read(offset: number, length: number): Uint8Array {
    return this.#view.read(offset, length)
  }

  write(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#take({ kind: 'write', offset, bytes })
  }

  truncate(length: number): void {
    this.#take({ kind: 'truncate', length })
  }

  /** A point among the changes, for `sync`. */
  mark(): number {
    return this.#settled + this.#unsynced.length
  }

  /** Everything before `mark` is durable; later changes may have come while the sync ran. */
  sync(mark: number): void {
    const count = Math.max(0, mark - this.#settled)
    for (const change of this.#unsynced.splice(0, count)) this.#durable.apply(change)
    this.#settled += count
  }

  /** Each unsynced change reaches the medium, or does not, or in part; `#view` follows. */
  settleBySeed(
    random: SeededRandom,
    counts: DiskFaultCounts,
    options: { keepView: boolean } = { keepView: false },
  ): void {
    for (const change of this.#unsynced) this.#settleOne(change, random, counts)
    this.#settled += this.#unsynced.length
    this.#unsynced = []
    if (!options.keepView) this.#view = this.#durable.clone()
  }

  flipBit(offset: number, bit: number): void {
    this.#view.flipBit(offset, bit)
    this.#durable.flipBit(offset, bit)
  }

  overwrite(offset: number, bytes: Uint8Array): void {
    const change = { kind: 'write', offset, bytes } as const
    this.#view.apply(change)
    this.#durable.apply(change)
  }

  #take(change: Change): void {
    this.#unsynced.push(change)
    this.#view.apply(change)
  }

  #settleOne(change: Change, random: SeededRandom, counts: DiskFaultCounts): void {
    const fate = random.pick(['kept', 'lost', 'torn'] as const)
    if (fate === 'kept') {
      counts.keptWrites += 1
      this.#durable.apply(change)
    } else if (fate === 'lost' || change.kind === 'truncate') counts.lostWrites += 1
    else {
      counts.tornWrites += 1
      for (const piece of sectorsOf(change)) if (random.chance(0.5)) this.#durable.apply(piece)
    }
  }
}

function sectorsOf(change: Change & { kind: 'write' }): Change[] {
  const pieces: Change[] = []
  const end = change.offset + change.bytes.length
  for (let from = change.offset; from < end;) {
    const to = Math.min(end, (Math.floor(from / sectorBytes) + 1) * sectorBytes)
    const bytes = change.bytes.subarray(from - change.offset, to - change.offset)
    pieces.push({ kind: 'write', offset: from, bytes })
    from = to
  }
  return pieces
}

/** Bytes with a length, growing by doubling. Invariant: bytes past `length` are zero. */
class Content {
  #bytes = new Uint8Array(0)
  length = 0

  read(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(Math.min(offset, this.length), Math.min(offset + length, this.length))
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      this.#reserve(change.length)
      this.#bytes.fill(0, change.length, Math.max(change.length, this.length))
      this.length = change.length
      return
    }
    const end = change.offset + change.bytes.length
    this.#reserve(end)
    this.#bytes.set(change.bytes, change.offset)
    this.length = Math.max(this.length, end)
  }

  flipBit(offset: number, bit: number): void {
    if (offset < this.length) this.#bytes[offset] = (this.#bytes[offset] as number) ^ (1 << bit)
  }

  clone(): Content {
    const copy = new Content()
    copy.#bytes = this.#bytes.slice(0, this.length)
    copy.length = this.length
    return copy
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
