/**
 * Sealing to a machine's key: ECIES over P-256 with HKDF-SHA256 and AES-256-GCM.
 *
 * Layout: version (1 byte) | ephemeral public key, uncompressed point (65) | nonce (12) |
 * ciphertext | tag (16). The key's derivation covers both public keys, so a sealed secret opens
 * for exactly the pair it was made for.
 */
import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto'
import { concat, utf8 } from '../base/bytes.ts'
import { assert } from '../base/assert.ts'

const curve = 'prime256v1'
const version = 1
const pointBytes = 65
const nonceBytes = 12
const tagBytes = 16
const headBytes = 1 + pointBytes + nonceBytes
/** What every P-256 SubjectPublicKeyInfo begins with (RFC 5480); the point follows. */
const spkiHead = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')

export function sealTo(publicKeySpki: Uint8Array, plain: Uint8Array): Uint8Array {
  const recipient = importSpki(publicKeySpki)
  assert(recipient !== undefined, 'secrets are sealed to P-256 keys')
  const ephemeral = createECDH(curve)
  const point = ephemeral.generateKeys()
  const shared = ephemeral.computeSecret(publicKeySpki.subarray(-pointBytes))
  const nonce = randomBytes(nonceBytes)
  const head = concat([Uint8Array.of(version), point, nonce])
  const cipher = createCipheriv('aes-256-gcm', derive(shared, point, publicKeySpki), nonce)
  cipher.setAAD(head)
  const body = cipher.update(plain)
  cipher.final()
  return concat([head, body, cipher.getAuthTag()])
}

/** Undefined when it was not sealed to this key, was altered, or is no sealed secret at all. */
export function unsealWith(privateKeyPem: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < headBytes + tagBytes || sealed[0] !== version) return undefined
  const point = sealed.subarray(1, 1 + pointBytes)
  const ephemeral = importSpki(concat([spkiHead, point]))
  if (ephemeral === undefined) return undefined
  const privateKey = createPrivateKey(privateKeyPem)
  const ownSpki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const shared = diffieHellman({ privateKey, publicKey: ephemeral })
  const nonce = sealed.subarray(1 + pointBytes, headBytes)
  const decipher = createDecipheriv('aes-256-gcm', derive(shared, point, ownSpki), nonce)
  decipher.setAAD(sealed.subarray(0, headBytes))
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  try {
    const plain = decipher.update(sealed.subarray(headBytes, sealed.length - tagBytes))
    decipher.final()
    return new Uint8Array(plain)
  } catch {
    return undefined
  }
}

/** Undefined when it is no P-256 key: importing checks that the point is on the curve. */
function importSpki(spki: Uint8Array): KeyObject | undefined {
  if (spki.length !== spkiHead.length + pointBytes) return undefined
  if (!spkiHead.equals(spki.subarray(0, spkiHead.length))) return undefined
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

function derive(shared: Uint8Array, point: Uint8Array, recipientSpki: Uint8Array): Uint8Array {
  const info = concat([utf8('jangada seal 1'), recipientSpki])
  return new Uint8Array(hkdfSync('sha256', shared, point, info, 32))
}
