/**
 * Reading certificates with node:crypto alone: synchronous, so that a handshake is judged before
 * a byte of it is passed on, and without the x509 library, which a running peer never loads.
 */
import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import type { CertificateFacts } from '../ports/crypto.ts'

/** Undefined when it is no certificate. */
export function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** SHA-256 of a key's SubjectPublicKeyInfo, lower-case hex. */
export const hashOfKey = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')

/** SHA-256 of the certificate's SubjectPublicKeyInfo, lower-case hex. */
export const spkiHashOf = (certificate: X509Certificate): string => hashOfKey(certificate.publicKey)

/**
 * What `certificate` says, if `authorityKey` signed it and it may speak for a machine. Only a
 * direct signature counts: there is no chain, so no leaf can pass for an authority.
 */
export function factsOf(
  certificate: X509Certificate,
  authorityKey: KeyObject,
): CertificateFacts | undefined {
  if (certificate.ca || !isSignedBy(certificate, authorityKey)) return undefined
  const subject = readSubject(certificate.subject)
  const machineId = subject.get('CN')
  const clusterId = subject.get('O')
  if (machineId === undefined || clusterId === undefined) return undefined
  return {
    machineId,
    clusterId,
    keyHash: spkiHashOf(certificate),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  }
}

export function isSignedBy(certificate: X509Certificate, authorityKey: KeyObject): boolean {
  try {
    return certificate.verify(authorityKey)
  } catch {
    // A signature of another kind of key is simply not this key's.
    return false
  }
}

/** Undefined when the PEM holds no certificate. */
export function publicKeyOf(certificatePem: string): KeyObject | undefined {
  try {
    return createPublicKey(certificatePem)
  } catch {
    return undefined
  }
}

/**
 * Node writes one `NAME=value` a line. A subject of ours has each name once; one that has a name
 * twice is not ours and reads as having none.
 */
function readSubject(subject: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>()
  for (const line of subject.split('\n')) {
    const equals = line.indexOf('=')
    const name = line.slice(0, equals)
    if (equals < 1 || parts.has(name)) return new Map()
    parts.set(name, line.slice(equals + 1))
  }
  return parts
}
