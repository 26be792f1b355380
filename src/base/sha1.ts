/**
 * SHA-1 (FIPS 180-4, section 6.1.2), for unit hashes only: fleet's clients and API know a unit's
 * content by it. Nothing may rest its safety on it; keys and certificates use `ports/Crypto`.
 */
import { assert } from './assert.ts'

const blockBytes = 64
/** The length field counts bits in 64; below this many bytes its arithmetic stays exact. */
const inputBytesMax = 2 ** 50

const rotateLeft = (word: number, count: number): number =>
  (word << count) | (word >>> (32 - count))

/** The 20-byte digest of `input`. */
export function sha1(input: Uint8Array): Uint8Array {
  assert(input.length < inputBytesMax, 'the input is short enough for its length field')
  const padded = new Uint8Array(Math.ceil((input.length + 9) / blockBytes) * blockBytes)
  padded.set(input)
  padded[input.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(input.length / 0x2000_0000))
  view.setUint32(padded.length - 4, (input.length * 8) >>> 0)

  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0])
  for (let offset = 0; offset < padded.length; offset += blockBytes) {
    mixBlock(state, view, offset)
  }
  const digest = new DataView(new ArrayBuffer(20))
  for (const [at, word] of state.entries()) digest.setUint32(4 * at, word)
  return new Uint8Array(digest.buffer)
}

function mixBlock(state: Uint32Array, view: DataView, offset: number): void {
  const schedule = new Uint32Array(80)
  const at = (t: number): number => schedule[t] as number
  for (let t = 0; t < 80; t += 1) {
    schedule[t] =
      t < 16
        ? view.getUint32(offset + 4 * t)
        : rotateLeft(at(t - 3) ^ at(t - 8) ^ at(t - 14) ^ at(t - 16), 1)
  }
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number]
  for (let t = 0; t < 80; t += 1) {
    const [f, k] = roundFunction(t, b, c, d)
    const next = (rotateLeft(a, 5) + f + e + k + at(t)) >>> 0
    e = d
    d = c
    c = rotateLeft(b, 30) >>> 0
    b = a
    a = next
  }
  for (const [i, word] of [a, b, c, d, e].entries()) state[i] = (state[i] as number) + word
}

/** The function and the constant of round `t`, as the standard names them. */
function roundFunction(t: number, b: number, c: number, d: number): [number, number] {
  if (t < 20) return [(b & c) | (~b & d), 0x5a827999]
  if (t < 40) return [b ^ c ^ d, 0x6ed9eba1]
  if (t < 60) return [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
  return [b ^ c ^ d, 0xca62c1d6]
}
