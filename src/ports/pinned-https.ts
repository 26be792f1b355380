/**
 * HTTPS to a machine of whom only the pin of its cluster's CA is known. The proof comes first:
 * no byte of a request leaves before the other side has shown a certificate signed by a CA whose
 * SubjectPublicKeyInfo has the pinned hash. Dates are not looked at, for a blank machine has no
 * clock to trust.
 */
export interface PinnedHttps {
  /**
   * Rejects with JGD_PIN_MISMATCH when the other side is of another cluster, JGD_UNREACHABLE when
   * it does not answer in time, or JGD_TOO_LARGE when it answers too much. Any status resolves.
   */
  request(target: PinnedTarget, request: PinnedRequest): Promise<PinnedResponse>
}

export interface PinnedTarget {
  readonly host: string
  readonly port: number
  /** SHA-256 of the CA's SubjectPublicKeyInfo, lower-case hex. */
  readonly pin: string
  /** This machine's own certificate, shown when asked for. */
  readonly identity?: { readonly privateKeyPem: string; readonly certificatePem: string }
}

export interface PinnedRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** For the whole exchange. */
  readonly timeoutMs: number
  readonly responseBytesMax: number
}

export interface PinnedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}
