/** Sets of machines, each a bit at its rank in the order of ids: to meet two takes a word for 32 of them. */

export class Bits {
  readonly words: Uint32Array

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5)
  }

  add(at: number): void {
    const word = at >>> 5
    this.words[word] = (this.words[word] as number) | (1 << (at & 31))
  }

  delete(at: number): void {
    const word = at >>> 5
    this.words[word] = (this.words[word] as number) & ~(1 << (at & 31))
  }

  has(at: number): boolean {
    return (((this.words[at >>> 5] as number) >>> (at & 31)) & 1) === 1
  }

  get isEmpty(): boolean {
    return this.words.every((word) => word === 0)
  }

  /** What is in both; of the same size. */
  and(other: Bits): Bits {
    const both = new Bits(this.words.length * 32)
    for (let word = 0; word < this.words.length; word += 1) {
      both.words[word] = (this.words[word] as number) & (other.words[word] as number)
    }
    return both
  }

  /** How many are in both. */
  countWith(other: Bits): number {
    let count = 0
    for (let word = 0; word < this.words.length; word += 1) {
      let bits = (this.words[word] as number) & (other.words[word] as number)
      for (; bits !== 0; bits &= bits - 1) count += 1
    }
    return count
  }

  /** The least that is in both and that `accept` takes; -1 when there is none. Do not change either meanwhile. */
  firstWith(other: Bits | undefined, accept: (at: number) => boolean): number {
    for (let word = 0; word < this.words.length; word += 1) {
      let bits = this.words[word] as number
      if (other !== undefined) bits &= other.words[word] as number
      while (bits !== 0) {
        const at = word * 32 + 31 - Math.clz32(bits & -bits)
        if (accept(at)) return at
        bits &= bits - 1
      }
    }
    return -1
  }

  forEach(visit: (at: number) => void): void {
    this.firstWith(undefined, (at) => {
      visit(at)
      return false
    })
  }
}
