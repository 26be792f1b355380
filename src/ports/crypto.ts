/**
 * Keys and certificates as arguments. Keys are ECDSA P-256; a key never leaves this port but as
 * PEM for the machine's own state directory, or sealed to another machine's key.
 */
export interface Crypto {
  sha256(bytes: Uint8Array): Uint8Array
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array
  /** Equal, in time that does not depend on where they differ. */
  constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean
  generateKey(): Promise<KeyPair>
  /** PKCS#8 PEM. Rejects with `JGD_STATE_DIR` when it is not a P-256 private key. */
  importKey(privateKeyPem: string): Promise<KeyPair>
  /** A self-signed CA certificate for `clusterId`, PEM. */
  makeAuthority(key: KeyPair, claims: AuthorityClaims): Promise<string>
  /** A PKCS#10 request, PEM. It proves that the requester holds `key`. */
  makeRequest(key: KeyPair, machineId: string): Promise<string>
  /** Undefined when the request is malformed or its own signature is wrong. */
  readRequest(
    requestPem: string,
  ): Promise<{ keyHash: string; publicKeySpki: Uint8Array } | undefined>
  issueCertificate(authority: Authority, claims: CertificateClaims): Promise<string>
  /** Undefined when malformed or not signed by `authorityPem`; dates are told, not judged. */
  readCertificate(pem: string, authorityPem: string): Promise<CertificateFacts | undefined>
  /** SHA-256 of a certificate's SubjectPublicKeyInfo, lower-case hex: what a pin pins. */
  spkiHash(certificatePem: string): string
  /** Encrypts to the holder of `publicKeySpki` (ECDH P-256, HKDF-SHA256, AES-256-GCM). */
  seal(publicKeySpki: Uint8Array, plain: Uint8Array): Promise<Uint8Array>
  /** Undefined when it was not sealed to `key` or was altered. */
  unseal(key: KeyPair, sealed: Uint8Array): Promise<Uint8Array | undefined>
}

export interface KeyPair {
  readonly privateKeyPem: string
  readonly publicKeySpki: Uint8Array
  /** SHA-256 of `publicKeySpki`, lower-case hex. */
  readonly keyHash: string
}

export interface Authority {
  readonly certificatePem: string
  readonly key: KeyPair
}

export interface AuthorityClaims {
  readonly clusterId: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export interface CertificateClaims extends AuthorityClaims {
  readonly machineId: string
  readonly publicKeySpki: Uint8Array
  /** IP addresses and names for subjectAltName. */
  readonly alternativeNames: readonly string[]
}

export interface CertificateFacts extends AuthorityClaims {
  readonly machineId: string
  readonly keyHash: string
}
