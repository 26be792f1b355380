/**
 * The one-time proof that a boot node gave a machine its script: an HMAC over who it is, under a
 * key that the boot nodes share. It is the only thing in the plain boot path worth stealing, so
 * it lives ten minutes and is tied to MAC, UUID and address. Nothing is written when one is
 * made; only redeeming it writes, once per key pair.
 *
 * Text: `N1.<mac>.<uuid or 0>.<address>.<expiry, epoch seconds>.<hmac>`, all in hex but the
 * expiry: letters, digits and dots only, so that it fits a kernel's command line as it is.
 */
import { assert } from '../../base/assert.ts'
import { fromHex, toHex, utf8 } from '../../base/bytes.ts'
import { parseMac, parseUuid } from './hardware.ts'
import type { Mac, Uuid } from './hardware.ts'
import { ipv4FromBytes, ipv4ToBytes } from './ipv4.ts'
import type { Ipv4 } from './ipv4.ts'

export const nonceLifetimeSeconds = 600

export interface NonceClaims {
  readonly mac: Mac
  /** Undefined for a machine whose firmware tells none. */
  readonly uuid: Uuid | undefined
  readonly address: Ipv4
  /** Seconds since 1970. */
  readonly expirySeconds: number
}

/** The two functions of `ports/Crypto` that a nonce needs. */
export interface NonceCrypto {
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array
  constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean
}

export type NonceVerdict =
  | { readonly kind: 'genuine'; readonly claims: NonceClaims }
  | { readonly kind: 'refused'; readonly reason: 'malformed' | 'forged' }

const shape = /^N1\.[0-9a-f]{12}\.([0-9a-f]{32}|0)\.[0-9a-f]{8}\.[1-9][0-9]{0,11}\.[0-9a-f]{64}$/

/** `key` has 32 bytes; `nowSeconds` is wall time, which the boot nodes share within minutes. */
export function makeNonce(
  crypto: Pick<NonceCrypto, 'hmacSha256'>,
  key: Uint8Array,
  machine: Omit<NonceClaims, 'expirySeconds'>,
  nowSeconds: number,
): string {
  const claims = [
    'N1',
    machine.mac.replace(/:/g, ''),
    machine.uuid ?? '0',
    toHex(ipv4ToBytes(machine.address)),
    String(Math.floor(nowSeconds) + nonceLifetimeSeconds),
  ].join('.')
  const nonce = `${claims}.${toHex(crypto.hmacSha256(key, signedBytes(claims)))}`
  assert(shape.test(nonce), 'a nonce that is made can be read')
  return nonce
}

/**
 * Whether one of us made this nonce. Not whether it may still be redeemed: a machine that waits
 * for its admission goes on showing the one it redeemed in time (`core/trust/redemption`).
 * `keys` are all that are still good; the caller compares the claims with what it knows of the
 * peer.
 */
export function verifyNonce(
  crypto: NonceCrypto,
  keys: readonly Uint8Array[],
  nonce: string,
): NonceVerdict {
  const claims = readNonce(nonce)
  if (claims === undefined) return { kind: 'refused', reason: 'malformed' }
  const cut = nonce.lastIndexOf('.')
  const signed = signedBytes(nonce.slice(0, cut))
  const seal = fromHex(nonce.slice(cut + 1))
  for (const key of keys) {
    if (crypto.constantTimeEqual(crypto.hmacSha256(key, signed), seal)) {
      return { kind: 'genuine', claims }
    }
  }
  return { kind: 'refused', reason: 'forged' }
}

/** What a nonce says, unproven; undefined when it is malformed. */
export function readNonce(nonce: string): NonceClaims | undefined {
  if (!shape.test(nonce)) return undefined
  const [, macHex = '', uuidHex = '', addressHex = '', expiry = ''] = nonce.split('.')
  const mac = parseMac(macHex.replace(/..(?!$)/g, '$&:'))
  const uuid = uuidHex === '0' ? undefined : parseUuid(uuidHex)
  const address = ipv4FromBytes(fromHex(addressHex))
  if (mac === undefined || address === undefined) return undefined
  if (uuidHex !== '0' && uuid === undefined) return undefined
  return { mac, uuid, address, expirySeconds: Number(expiry) }
}

/** The leading words keep this seal from ever being valid for anything else under the key. */
const signedBytes = (claims: string): Uint8Array => utf8(`jangada boot nonce\n${claims}`)
