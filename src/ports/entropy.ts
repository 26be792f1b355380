/** Randomness as an argument: the kernel's on a machine, the seed's in the simulation. */
export interface Entropy {
  /** Bytes fit for keys, tokens and nonces. */
  bytes(length: number): Uint8Array
  /** A uniform integer in [min, max], both included; for jitter and ids. */
  integer(min: number, max: number): number
}
