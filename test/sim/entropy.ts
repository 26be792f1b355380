/** The seed's randomness behind `ports/Entropy`: the same keys and nonces in every run of a seed. */
import type { SeededRandom } from '../../src/base/random.ts'
import type { Entropy } from '../../src/ports/entropy.ts'

export function seededEntropy(random: SeededRandom): Entropy {
  return {
    bytes: (length) => random.bytes(length),
    integer: (min, max) => wideInteger(random, min, max),
  }
}

/** `SeededRandom.integer` has 32 bits; the port takes ranges up to 48, as the kernel's side does. */
function wideInteger(random: SeededRandom, min: number, max: number): number {
  if (max - min < 0x1_0000_0000) return random.integer(min, max)
  const fraction = (random.uint32() * 0x1_0000 + random.integer(0, 0xffff)) / 2 ** 48
  return min + Math.floor(fraction * (max - min + 1))
}
