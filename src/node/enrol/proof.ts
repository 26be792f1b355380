/** What a machine shows in order to join, checked against the records: a token or a nonce. */
import { assert } from '../../base/assert.ts'
import { toHex, utf8 } from '../../base/bytes.ts'
import type { MachineId } from '../../base/ids.ts'
import { parseUuid, sameMachineUuid } from '../../core/netboot/hardware.ts'
import { parseIpv4 } from '../../core/netboot/ipv4.ts'
import { verifyNonce, type NonceClaims } from '../../core/netboot/nonce.ts'
import { clusterSettings, nonces, tokens } from '../../core/records/keyspace.ts'
import type { AdmissionRecord } from '../../core/records/schemas.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import type { AdmissionPolicy, RoleCeiling } from '../../core/trust/admission.ts'
import { decideRedemption } from '../../core/trust/redemption.ts'
import { checkJoinToken, isGenuine } from '../../core/trust/token-check.ts'
import { refuse, type Refusal } from '../../core/trust/verdict.ts'
import { readRecord, unchanged, type EnrolContext } from './context.ts'
import type { Asking } from './enrol.ts'
import type { EnrolRequest } from './messages.ts'
import { askAboutToken } from './tokens.ts'

interface Checked {
  /** Guards of the transaction that spends it. */
  readonly compare: readonly Compare[]
  /** What spending it writes, once the machine's id is known. */
  readonly spend: (machineId: MachineId) => Operation[]
  /**
   * A genuine proof may be spent or too old. That matters to everyone but a key that was
   * answered before and asks again, and the machine's admission says who that is.
   */
  readonly refusalUnlessKnown: (admission: AdmissionRecord | undefined) => Refusal | undefined
}

export type CheckedProof =
  | (Checked & {
      readonly kind: 'token'
      readonly tokenId: string
      readonly roleCeiling: RoleCeiling
    })
  | (Checked & { readonly kind: 'nonce'; readonly policy: AdmissionPolicy })

export function checkProof(
  context: EnrolContext,
  proof: EnrolRequest['proof'],
  asking: Asking,
): Promise<CheckedProof | Refusal> {
  return proof.kind === 'token'
    ? checkToken(context, proof)
    : checkNonce(context, proof.nonce, asking)
}

async function checkToken(
  context: EnrolContext,
  shown: { readonly id: string; readonly secret: string },
): Promise<CheckedProof | Refusal> {
  const { stored, question } = await askAboutToken(context, shown)
  const verdict = checkJoinToken(question)
  // A wrong secret learns nothing more, whichever key comes with it.
  if (verdict.kind === 'refused' && !isGenuine(question)) return verdict
  assert(stored !== undefined, 'a genuine token has a record')
  const { value } = stored
  return {
    kind: 'token',
    tokenId: value.id,
    roleCeiling: value.roleCeiling,
    compare: [unchanged(tokens.key(value.id), stored)],
    spend: () => [tokens.put({ ...value, usesLeft: value.usesLeft - 1 }, value.id)],
    refusalUnlessKnown: () => (verdict.kind === 'refused' ? verdict : undefined),
  }
}

async function checkNonce(
  context: EnrolContext,
  nonce: string,
  asking: Asking,
): Promise<CheckedProof | Refusal> {
  const claims = await readGenuine(context, nonce)
  if (claims === undefined || !isOf(claims, asking)) {
    return refuse('JGD_NONCE_INVALID', 'this boot nonce is not of this cluster and machine')
  }
  const hash = toHex(context.crypto.sha256(utf8(nonce)))
  const redeemed = await readRecord(context.store, nonces, hash)
  const settings = await readRecord(context.store, clusterSettings, 'cluster')
  const nowMs = context.clock.wallMs()
  const expiresMs = claims.expirySeconds * 1000
  const { keyHash } = asking
  const decide = (known: boolean) =>
    decideRedemption({ redeemed: redeemed?.value, keyHash, known, expiresMs, nowMs })
  return {
    kind: 'nonce',
    policy: settings?.value.admission ?? 'sticky',
    compare: [unchanged(nonces.key(hash), redeemed)],
    spend: (machineId) =>
      redeemed === undefined
        ? [nonces.put({ v: 1, keyHash, machineId, redeemedMs: nowMs, expiresMs }, hash)]
        : [],
    refusalUnlessKnown: (admission) => {
      const verdict = decide(isKnown(admission, keyHash))
      return verdict.kind === 'refused' ? verdict : undefined
    },
  }
}

/** The claims of a nonce that a boot node of this cluster made, of whatever date. */
async function readGenuine(context: EnrolContext, nonce: string): Promise<NonceClaims | undefined> {
  const key = await context.secrets.bootKey()
  if (key === undefined) return undefined
  const verdict = verifyNonce(context.crypto, [key], nonce)
  return verdict.kind === 'genuine' ? verdict.claims : undefined
}

/**
 * A nonce is good for the machine that was booted with it, from the address that it was given.
 * A thief on the link can pretend all three; a mistake cannot.
 */
function isOf(claims: NonceClaims, { facts, remoteAddress }: Asking): boolean {
  const uuid = parseUuid(facts.uuid)
  const sameUuid =
    claims.uuid === undefined || (uuid !== undefined && sameMachineUuid(claims.uuid, uuid))
  return facts.macs.includes(claims.mac) && sameUuid && parseIpv4(remoteAddress) === claims.address
}

/** This key was heard before and waits, or is approved, or is in. */
const isKnown = (admission: AdmissionRecord | undefined, keyHash: string): boolean =>
  admission !== undefined &&
  (admission.keyHash === keyHash || admission.asking?.keyHash === keyHash)
