/** The kernel's randomness behind `ports/Entropy`. */
import { randomBytes, randomInt } from 'node:crypto'
import { assert } from '../base/assert.ts'
import type { Entropy } from '../ports/entropy.ts'

/** `crypto.randomInt` takes ranges below 2^48. */
const rangeMax = 2 ** 48 - 1

export function kernelEntropy(): Entropy {
  return {
    bytes: (length) => {
      // A copy, because `randomBytes` may hand out a slice of a pool that others see.
      return new Uint8Array(randomBytes(length))
    },
    integer: (min, max) => {
      assert(Number.isSafeInteger(min) && Number.isSafeInteger(max), 'bounds are safe integers')
      assert(max >= min && max - min < rangeMax, 'the range is not empty and below 2^48')
      return randomInt(min, max + 1)
    },
  }
}
