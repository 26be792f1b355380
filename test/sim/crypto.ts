/**
 * Keys and certificates as tagged strings from the seed: nothing here is secret, and all of it is
 * cheap and the same in every run. The simulation has faults, not forgers; what a key could not
 * do with real cryptography, this refuses all the same, so that a mix-up shows.
 */
import { createHash, createHmac } from 'node:crypto'
import { bytesEqual, concat, fromUtf8, toHex, utf8 } from '../../src/base/bytes.ts'
import { assert } from '../../src/base/assert.ts'
import { JangadaError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { CertificateFacts, Crypto, KeyPair } from '../../src/ports/crypto.ts'

const sha256 = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest())
const hashHex = (text: string): string => toHex(sha256(utf8(text)))

export function simulatedCrypto(random: SeededRandom): Crypto {
  return {
    sha256,
    hmacSha256: (key, bytes) => new Uint8Array(createHmac('sha256', key).update(bytes).digest()),
    constantTimeEqual: bytesEqual,
    generateKey: async () => toKeyPair(toHex(random.bytes(16))),
    importKey: async (privateKeyPem) => {
      const seed = seedOf(privateKeyPem)
      if (seed === undefined) {
        throw new JangadaError('JGD_STATE_DIR', 'the private key cannot be read')
      }
      return toKeyPair(seed)
    },
    makeAuthority: async (key, claims) =>
      write('CERTIFICATE', spkiOf(key), {
        ca: true,
        machineId: 'jangada CA',
        spki: spkiOf(key),
        ...claims,
      }),
    makeRequest: async (key, machineId) =>
      write('REQUEST', spkiOf(key), { machineId, spki: spkiOf(key) }),
    readRequest: async (requestPem) => {
      const spki = read('REQUEST', requestPem)?.spki
      if (typeof spki !== 'string' || !isSignedBy(requestPem, spki)) return undefined
      return { publicKeySpki: utf8(spki), keyHash: hashHex(spki) }
    },
    issueCertificate: async (authority, claims) => {
      const { publicKeySpki, ...rest } = claims
      const spki = fromUtf8(publicKeySpki)
      return write('CERTIFICATE', spkiOf(authority.key), { ca: false, spki, ...rest })
    },
    readCertificate: async (pem, authorityPem) => factsOfSimulated(pem, authorityPem),
    spkiHash: (certificatePem) => {
      const spki = read('CERTIFICATE', certificatePem)?.spki
      assert(typeof spki === 'string', 'a pin is taken from a certificate that was read before')
      return hashHex(spki)
    },
    seal: async (publicKeySpki, plain) => {
      const recipient = sha256(publicKeySpki)
      return concat([recipient, sha256(concat([recipient, plain])), plain])
    },
    unseal: async (key, sealed) => {
      const recipient = sealed.subarray(0, 32)
      const plain = sealed.slice(64)
      const check = sha256(concat([recipient, plain]))
      if (!bytesEqual(recipient, sha256(key.publicKeySpki))) return undefined
      return bytesEqual(check, sealed.subarray(32, 64)) ? plain : undefined
    },
  }
}

/** What the simulated handshake reads; the same as `Crypto.readCertificate`, but at once. */
export function factsOfSimulated(pem: string, authorityPem: string): CertificateFacts | undefined {
  const certificate = read('CERTIFICATE', pem)
  const authoritySpki = read('CERTIFICATE', authorityPem)?.spki
  if (certificate === undefined || typeof authoritySpki !== 'string') return undefined
  if (certificate.ca === true || !isSignedBy(pem, authoritySpki)) return undefined
  return {
    machineId: String(certificate.machineId),
    clusterId: String(certificate.clusterId),
    keyHash: hashHex(String(certificate.spki)),
    notBeforeMs: Number(certificate.notBeforeMs),
    notAfterMs: Number(certificate.notAfterMs),
  }
}

/** The hash of the key that holds this PEM; undefined when it is none. */
export function simulatedKeyHash(privateKeyPem: string): string | undefined {
  const seed = seedOf(privateKeyPem)
  return seed === undefined ? undefined : toKeyPair(seed).keyHash
}

const seedOf = (privateKeyPem: string): string | undefined =>
  /^SIMULATED PRIVATE KEY ([0-9a-f]{32})$/.exec(privateKeyPem)?.[1]

function toKeyPair(seed: string): KeyPair {
  const publicKeySpki = utf8(`simulated-key-${hashHex(seed)}`)
  return {
    privateKeyPem: `SIMULATED PRIVATE KEY ${seed}`,
    publicKeySpki,
    keyHash: toHex(sha256(publicKeySpki)),
  }
}

const spkiOf = (key: KeyPair): string => fromUtf8(key.publicKeySpki)

/** `SIMULATED <kind>\n<json>\n<hash over the signer's public key and the json>` */
function write(kind: string, signerSpki: string, body: Record<string, unknown>): string {
  const json = JSON.stringify(body)
  return `SIMULATED ${kind}\n${json}\n${hashHex(signerSpki + json)}`
}

function read(kind: string, pem: string): Record<string, unknown> | undefined {
  const [head, json] = pem.split('\n')
  if (head !== `SIMULATED ${kind}` || json === undefined) return undefined
  try {
    return JSON.parse(json) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function isSignedBy(pem: string, spki: string): boolean {
  const [, json = '', signature] = pem.split('\n')
  return signature === hashHex(spki + json)
}
