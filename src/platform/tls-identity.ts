/** This machine's side of a TLS handshake, and its judgement of the other side. */
import { constants, type KeyObject } from 'node:crypto'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { JangadaError } from '../base/errors.ts'
import type { PeerIdentity } from '../ports/streams.ts'
import { factsOf, publicKeyOf } from './certificates.ts'

export interface IdentityFiles {
  readonly clusterId: string
  readonly privateKeyPem: string
  readonly certificatePem: string
  /** The cluster's CA. */
  readonly authorityPem: string
}

export type Judgement =
  | { readonly kind: 'accepted'; readonly peer: PeerIdentity }
  | {
      readonly kind: 'refused'
      readonly code: 'JGD_WRONG_CLUSTER' | 'JGD_KEY_UNKNOWN'
      readonly message: string
      readonly remoteAddress: string
    }

export class TlsIdentity {
  readonly clusterId: string
  readonly authorityKey: KeyObject
  readonly secureContext: SecureContextOptions

  /** Throws `JGD_STATE_DIR` when the CA's certificate cannot be read. */
  constructor(files: IdentityFiles) {
    const authorityKey = publicKeyOf(files.authorityPem)
    if (authorityKey === undefined) {
      throw new JangadaError('JGD_STATE_DIR', "the cluster's CA certificate cannot be read", {
        hint: 'restore ca.pem, or empty the state directory and join again',
      })
    }
    this.clusterId = files.clusterId
    this.authorityKey = authorityKey
    this.secureContext = {
      key: files.privateKeyPem,
      cert: files.certificatePem,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      // No session is ever resumed: each connection proves its key anew. With this option
      // OpenSSL's tickets only name a session in a cache, and there is none.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }
  }
}

/**
 * Whom the finished handshake has shown. That the peer holds its key, TLS has proven; here it is
 * the CA's signature, the cluster, and whether the records still list the key. Dates are not
 * looked at: expiry never locks out a listed key.
 */
export function judgePeer(
  socket: TLSSocket,
  identity: TlsIdentity,
  isAllowed: (peer: PeerIdentity) => boolean,
): Judgement {
  const remoteAddress = socket.remoteAddress ?? ''
  const refuse = (code: 'JGD_WRONG_CLUSTER' | 'JGD_KEY_UNKNOWN', message: string): Judgement => ({
    kind: 'refused',
    code,
    message,
    remoteAddress,
  })
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) {
    return refuse('JGD_WRONG_CLUSTER', `${remoteAddress} showed no certificate`)
  }
  const facts = factsOf(certificate, identity.authorityKey)
  if (facts === undefined || facts.clusterId !== identity.clusterId) {
    return refuse('JGD_WRONG_CLUSTER', `the certificate of ${remoteAddress} is of another cluster`)
  }
  const { keyHash, machineId, clusterId } = facts
  const peer: PeerIdentity = { keyHash, machineId, clusterId, remoteAddress }
  if (!isAllowed(peer)) {
    return refuse('JGD_KEY_UNKNOWN', `the key of machine ${machineId} is not listed`)
  }
  return { kind: 'accepted', peer }
}
