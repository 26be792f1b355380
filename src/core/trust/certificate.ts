/**
 * What a certificate must say. The key is the identity and the records list it; a certificate
 * only carries the key's name across the wire. So dates are for the outside world (browsers,
 * curl) and for renewal: among machines expiry warns, and never locks out a listed key.
 */
import { isMachineId, type ClusterId, type MachineId } from '../../base/ids.ts'
import { refuse, type Refusal } from './verdict.ts'

const dayMs = 86_400_000

export const authorityLifetimeMs = 20 * 365 * dayMs
export const certificateLifetimeMs = 90 * dayMs
/** Certificates begin this much in the past, for clocks that are behind the issuer's. */
export const backdateMs = 3_600_000
/** The name every node's certificate carries, whatever its addresses. */
export const commonDnsName = 'jangada'

/** The most names one certificate carries. */
export const alternativeNamesMax = 32

interface Lifetime {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export const authorityLifetime = (nowMs: number): Lifetime => ({
  notBeforeMs: nowMs - backdateMs,
  notAfterMs: nowMs + authorityLifetimeMs,
})

export const certificateLifetime = (nowMs: number): Lifetime => ({
  notBeforeMs: nowMs - backdateMs,
  notAfterMs: nowMs + certificateLifetimeMs,
})

/**
 * The names of a machine's certificate. Addresses come from the machine itself; names do not,
 * for the CA may be trusted by a browser and must not sign for hosts of other people.
 */
export function alternativeNames(id: MachineId, addresses: readonly string[]): readonly string[] {
  const names = [commonDnsName, `${id}.${commonDnsName}`, '127.0.0.1', '::1']
  for (const address of addresses) {
    if (isIpAddress(address) && !names.includes(address)) names.push(address)
  }
  return names.slice(0, alternativeNamesMax)
}

const isIpAddress = (text: string): boolean =>
  /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(text) ||
  (text.includes(':') && /^[0-9a-f:]{2,39}$/i.test(text))

/** What the handshake or a parse has proven of a certificate signed by our CA. */
export interface CertificateClaim {
  readonly clusterId: string
  readonly machineId: string
}

export type CertificateVerdict = { readonly kind: 'ours'; readonly machineId: MachineId } | Refusal

/** `expected` narrows it to one machine, when the caller knows whom it wants. */
export function judgeCertificate(
  claim: CertificateClaim,
  ours: ClusterId,
  expected?: MachineId,
): CertificateVerdict {
  if (claim.clusterId !== ours) {
    return refuse('JGD_WRONG_CLUSTER', `this certificate is of cluster "${claim.clusterId}"`)
  }
  if (!isMachineId(claim.machineId)) {
    return refuse('JGD_WRONG_CLUSTER', 'this certificate names no machine')
  }
  if (expected !== undefined && claim.machineId !== expected) {
    return refuse('JGD_KEY_UNKNOWN', `expected machine ${expected}, found ${claim.machineId}`)
  }
  return { kind: 'ours', machineId: claim.machineId }
}

/** When two thirds of a certificate's life are over, its machine asks for the next. */
export function isRenewalDue(lifetime: Lifetime, nowMs: number): boolean {
  const lifeMs = lifetime.notAfterMs - lifetime.notBeforeMs
  return nowMs >= lifetime.notBeforeMs + (2 * lifeMs) / 3
}

/** A date to warn of; never a reason to refuse a listed key. */
export const isOutOfDate = (lifetime: Lifetime, nowMs: number): boolean =>
  nowMs < lifetime.notBeforeMs || nowMs >= lifetime.notAfterMs
