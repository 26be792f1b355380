/** Certificates: for whom the records list, and only after the transaction that lists them. */
import { JangadaError } from '../../base/errors.ts'
import { machineId as toMachineId, type ClusterId, type MachineId } from '../../base/ids.ts'
import { admissions } from '../../core/records/keyspace.ts'
import { isListedKey } from '../../core/trust/admission.ts'
import { alternativeNames, certificateLifetime } from '../../core/trust/certificate.ts'
import type { Authority, Crypto } from '../../ports/crypto.ts'
import type { PeerIdentity } from '../../ports/streams.ts'
import { readRecord, type EnrolContext } from './context.ts'
import type { RenewRequest } from './messages.ts'

export interface Holder {
  readonly clusterId: ClusterId
  readonly machineId: MachineId
  readonly publicKeySpki: Uint8Array
  readonly addresses: readonly string[]
}

/** A certificate that is good for 90 days from `nowMs` on the issuer's wall clock. PEM. */
export function issueFor(
  crypto: Crypto,
  authority: Authority,
  nowMs: number,
  { addresses, ...holder }: Holder,
): Promise<string> {
  return crypto.issueCertificate(authority, {
    ...holder,
    ...certificateLifetime(nowMs),
    alternativeNames: alternativeNames(holder.machineId, addresses),
  })
}

/**
 * A new certificate for a machine that is listed and still holds its key; however old its last
 * one is. Rejects with JGD_BAD_REQUEST, JGD_KEY_UNKNOWN (not listed, or a request for another
 * key: that is an enrolment), or JGD_NOT_LEADER when this machine does not hold the CA's key.
 */
export async function renewCertificate(
  context: Pick<EnrolContext, 'clusterId' | 'store' | 'crypto' | 'clock' | 'secrets' | 'refusals'>,
  peer: PeerIdentity,
  { request, addresses }: RenewRequest,
): Promise<{ certificatePem: string }> {
  const { crypto, store, clusterId } = context
  const asked = await crypto.readRequest(request)
  if (asked === undefined) {
    throw new JangadaError('JGD_BAD_REQUEST', 'the certificate request cannot be read')
  }
  const admission = await readRecord(store, admissions, peer.machineId)
  if (asked.keyHash !== peer.keyHash || !isListedKey(admission?.value, peer.keyHash)) {
    throw await context.refusals.refuse({
      code: 'JGD_KEY_UNKNOWN',
      message: `the key of machine ${peer.machineId} is not listed`,
      hint: 'enrol again: jangada join',
      machineId: peer.machineId,
      remoteAddress: peer.remoteAddress,
    })
  }
  const authority = await context.secrets.requireAuthority()
  const holder = {
    clusterId,
    machineId: toMachineId(peer.machineId),
    publicKeySpki: asked.publicKeySpki,
    addresses,
  }
  return { certificatePem: await issueFor(crypto, authority, context.clock.wallMs(), holder) }
}
