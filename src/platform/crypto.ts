/** Keys and certificates behind `ports/Crypto`: node:crypto, and @peculiar/x509 for writing them. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  timingSafeEqual,
  webcrypto,
  type KeyObject,
} from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { assert } from '../base/assert.ts'
import { JangadaError } from '../base/errors.ts'
import type { Authority, CertificateClaims, Crypto, KeyPair } from '../ports/crypto.ts'
import { factsOf, hashOfKey, parseCertificate, publicKeyOf, spkiHashOf } from './certificates.ts'
import { sealTo, unsealWith } from './sealing.ts'

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signing = { name: 'ECDSA', hash: 'SHA-256' } as const

/** Real requests have under 1 KiB; parsing more is work for a stranger. */
const requestPemCharactersMax = 8192

export function nodeCrypto(): Crypto {
  return {
    sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
    hmacSha256: (key, bytes) => new Uint8Array(createHmac('sha256', key).update(bytes).digest()),
    constantTimeEqual: (a, b) => a.length === b.length && timingSafeEqual(a, b),
    generateKey: async () => {
      const { privateKey } = await generateKeyPairAsync('ec', { namedCurve: ecdsa.namedCurve })
      return toKeyPair(privateKey)
    },
    importKey: async (privateKeyPem) => importKey(privateKeyPem),
    makeAuthority,
    makeRequest,
    readRequest,
    issueCertificate,
    readCertificate: async (pem, authorityPem) => {
      const certificate = parseCertificate(pem)
      const authorityKey = publicKeyOf(authorityPem)
      if (certificate === undefined || authorityKey === undefined) return undefined
      return factsOf(certificate, authorityKey)
    },
    spkiHash: (certificatePem) => {
      const certificate = parseCertificate(certificatePem)
      assert(certificate !== undefined, 'a pin is taken from a certificate that was read before')
      return spkiHashOf(certificate)
    },
    seal: async (publicKeySpki, plain) => sealTo(publicKeySpki, plain),
    unseal: async (key, sealed) => unsealWith(key.privateKeyPem, sealed),
  }
}

const generateKeyPairAsync = promisify(generateKeyPair)

function toKeyPair(privateKey: KeyObject): KeyPair {
  const publicKey = createPublicKey(privateKey)
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicKeySpki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    keyHash: hashOfKey(publicKey),
  }
}

function importKey(privateKeyPem: string): KeyPair {
  let key: KeyObject
  try {
    key = createPrivateKey(privateKeyPem)
  } catch (cause) {
    throw badKey('the private key cannot be read', cause)
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw badKey('the private key is not an ECDSA P-256 key')
  }
  return toKeyPair(key)
}

const badKey = (message: string, cause?: unknown): JangadaError =>
  new JangadaError('JGD_STATE_DIR', message, {
    hint: 'restore the file, or empty the state directory and join again',
    cause,
  })

/** The library takes 70 ms to load, and most processes never write a certificate. */
async function x509Library(): Promise<typeof import('@peculiar/x509')> {
  await import('./reflect-metadata.ts')
  const library = await import('@peculiar/x509')
  library.cryptoProvider.set(webcrypto)
  return library
}

async function toCryptoKeys(key: KeyPair): Promise<webcrypto.CryptoKeyPair> {
  const der = createPrivateKey(key.privateKeyPem).export({ type: 'pkcs8', format: 'der' })
  const { subtle } = webcrypto
  return {
    privateKey: await subtle.importKey('pkcs8', der, ecdsa, false, ['sign']),
    publicKey: await subtle.importKey('spki', key.publicKeySpki, ecdsa, true, ['verify']),
  }
}

/** With the line end that the library leaves out: PEM files are put together to make chains. */
const toPemFile = (object: { toString(format: 'pem'): string }): string =>
  `${object.toString('pem').trimEnd()}\n`

const makeAuthority: Crypto['makeAuthority'] = async (key, claims) => {
  const x509 = await x509Library()
  const keys = await toCryptoKeys(key)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: subjectOf('jangada CA', claims.clusterId),
    keys,
    notBefore: new Date(claims.notBeforeMs),
    notAfter: new Date(claims.notAfterMs),
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return toPemFile(certificate)
}

const makeRequest: Crypto['makeRequest'] = async (key, machineId) => {
  const x509 = await x509Library()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [machineId] }],
    keys: await toCryptoKeys(key),
    signingAlgorithm: signing,
  })
  return toPemFile(request)
}

const readRequest: Crypto['readRequest'] = async (requestPem) => {
  if (requestPem.length > requestPemCharactersMax) return undefined
  const x509 = await x509Library()
  try {
    const request = new x509.Pkcs10CertificateRequest(requestPem)
    const key = createPublicKey({
      key: Buffer.from(request.publicKey.rawData),
      format: 'der',
      type: 'spki',
    })
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined
    if (!(await request.verify())) return undefined
    // Exported again, because one key has several DER spellings and the hash must have one.
    return {
      keyHash: hashOfKey(key),
      publicKeySpki: new Uint8Array(key.export({ type: 'spki', format: 'der' })),
    }
  } catch {
    // The library throws on whatever a stranger may send.
    return undefined
  }
}

async function issueCertificate(authority: Authority, claims: CertificateClaims): Promise<string> {
  const x509 = await x509Library()
  const { subtle } = webcrypto
  const { privateKey } = await toCryptoKeys(authority.key)
  const publicKey = await subtle.importKey('spki', claims.publicKeySpki, ecdsa, true, ['verify'])
  const issuer = new x509.X509Certificate(authority.certificatePem)
  const names = claims.alternativeNames.map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }))
  const certificate = await x509.X509CertificateGenerator.create({
    subject: subjectOf(claims.machineId, claims.clusterId),
    issuer: issuer.subjectName,
    publicKey,
    signingKey: privateKey,
    notBefore: new Date(claims.notBeforeMs),
    notAfter: new Date(claims.notAfterMs),
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return toPemFile(certificate)
}

const subjectOf = (commonName: string, clusterId: string): Record<string, string[]>[] => [
  { CN: [commonName] },
  { O: [clusterId] },
]
