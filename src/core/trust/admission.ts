/**
 * `unknown → pending → approved → member`: the one table of how a machine comes to be trusted.
 * The key is the identity. A machine whose key is new proves itself by a join token or a boot
 * nonce, and its old incarnation must be gone: a live machine never re-enrols silently.
 */
import { assertNever } from '../../base/assert.ts'
import type { MachineId } from '../../base/ids.ts'
import type { AdmissionRecord, ClusterSettingsRecord, MachineRecord } from '../records/schemas.ts'
import { refuse, type Refusal } from './verdict.ts'

export type AdmissionPolicy = ClusterSettingsRecord['admission']
export type RoleCeiling = AdmissionRecord['roleCeiling']

/** What the machine shows, already verified. */
export type Proof =
  | { readonly kind: 'token'; readonly tokenId: string; readonly roleCeiling: RoleCeiling }
  | { readonly kind: 'nonce'; readonly policy: AdmissionPolicy }

export interface AdmissionQuestion {
  readonly proof: Proof
  readonly keyHash: string
  /** Permanent MAC addresses that the asking machine told. */
  readonly macs: readonly string[]
  /** Undefined: a machine unknown so far. */
  readonly admission: AdmissionRecord | undefined
  readonly machine: MachineRecord | undefined
}

export type AdmissionVerdict =
  /** It becomes (or stays) a member of the cluster and gets its certificate. */
  | { readonly kind: 'admit'; readonly roleCeiling: RoleCeiling; readonly sticky: boolean }
  /** The same key, admitted before, lost the answer: its certificate again, and nothing else. */
  | { readonly kind: 'again' }
  | { readonly kind: 'wait' }
  /** The id belongs to other hardware; the asking machine needs its second candidate. */
  | { readonly kind: 'otherHardware' }
  | Refusal

export function decideAdmission(question: AdmissionQuestion): AdmissionVerdict {
  const { proof, keyHash, admission } = question
  if (admission !== undefined && admission.keyHash === keyHash) {
    return decideKnownKey(admission, proof)
  }
  if (admission !== undefined && isOtherHardware(admission.macs, question.macs)) {
    return { kind: 'otherHardware' }
  }
  const { machine } = question
  if (machine !== undefined && isLive(machine, keyHash)) {
    const { id, name, address } = machine
    const message = `the id ${id.slice(0, 8)} is that of ${name} (${address}), which is live in the cluster under another key`
    return refuse('JGD_MACHINE_LIVE', message, 'stop it first, or wait until it counts as lost')
  }
  if (admission?.state === 'refused') return refusedByOperator
  switch (proof.kind) {
    case 'token':
      return { kind: 'admit', roleCeiling: proof.roleCeiling, sticky: false }
    case 'nonce':
      return decideNewKeyByNonce(admission, proof.policy)
    default:
      return assertNever(proof)
  }
}

/** How often an operator's word is asked for, by policy. */
function decideNewKeyByNonce(
  admission: AdmissionRecord | undefined,
  policy: AdmissionPolicy,
): AdmissionVerdict {
  // What an operator has raised stays raised; nobody else gets more than a client's role.
  const roleCeiling = admission?.roleCeiling ?? 'client'
  switch (policy) {
    case 'auto':
      return { kind: 'admit', roleCeiling, sticky: admission?.sticky ?? false }
    case 'sticky':
      return admission !== undefined && isApproved(admission) && admission.sticky
        ? { kind: 'admit', roleCeiling, sticky: true }
        : { kind: 'wait' }
    case 'approve':
      return { kind: 'wait' }
    default:
      return assertNever(policy)
  }
}

function decideKnownKey(known: AdmissionRecord, proof: Proof): AdmissionVerdict {
  switch (known.state) {
    case 'member':
      return { kind: 'again' }
    case 'approved':
      return { kind: 'admit', roleCeiling: known.roleCeiling, sticky: known.sticky }
    case 'pending': {
      if (proof.kind === 'token') {
        return { kind: 'admit', roleCeiling: proof.roleCeiling, sticky: false }
      }
      // The operator may have changed the policy while it waited.
      if (proof.policy !== 'auto') return { kind: 'wait' }
      return { kind: 'admit', roleCeiling: known.roleCeiling, sticky: known.sticky }
    }
    case 'refused':
      return refusedByOperator
    default:
      return assertNever(known.state)
  }
}

const refusedByOperator = refuse(
  'JGD_FORBIDDEN',
  'an operator refused this machine',
  'to let it in after all: jangada admit ID',
)

const isApproved = (admission: AdmissionRecord): boolean =>
  admission.state === 'approved' || admission.state === 'member'

/** `ready` is what liveness last recorded; `lost` and `left` machines are gone. */
const isLive = (machine: MachineRecord, keyHash: string): boolean =>
  machine.status === 'ready' && machine.keyHash !== keyHash

/**
 * One UUID in two machines, as some makers ship whole batches. Told by network cards: a machine
 * whose cards were all replaced counts as another one, and that is the safe way to be wrong.
 */
const isOtherHardware = (one: readonly string[], other: readonly string[]): boolean =>
  one.length > 0 && other.length > 0 && !one.some((mac) => other.includes(mac))

/** Who asks, as the records keep it. */
export interface Applicant {
  readonly machineId: MachineId
  readonly keyHash: string
  /** SubjectPublicKeyInfo, base64. */
  readonly publicKey: string
  readonly name: string
  readonly macs: readonly string[]
  readonly uuid: string
  readonly address: string
}

/** The record of an applicant that waits. An admitted key stays listed until an operator speaks. */
export function waitingRecord(
  admission: AdmissionRecord | undefined,
  applicant: Applicant,
  nowMs: number,
): AdmissionRecord {
  const { keyHash, publicKey, name, address } = applicant
  if (admission !== undefined && isApproved(admission)) {
    return { ...admission, asking: { keyHash, publicKey, name, address, askedMs: nowMs } }
  }
  return {
    v: 1,
    ...applicant,
    macs: [...applicant.macs],
    state: 'pending',
    by: 'nonce',
    tokenId: '',
    roleCeiling: 'client',
    sticky: false,
    askedMs: nowMs,
    decidedMs: 0,
  }
}

/** The record of an applicant that is let in. */
export function memberRecord(
  admission: AdmissionRecord | undefined,
  applicant: Applicant,
  proof: { readonly by: AdmissionRecord['by']; readonly tokenId: string },
  granted: { readonly roleCeiling: RoleCeiling; readonly sticky: boolean },
  nowMs: number,
): AdmissionRecord {
  return {
    v: 1,
    ...applicant,
    ...proof,
    ...granted,
    macs: [...applicant.macs],
    state: 'member',
    askedMs: admission?.keyHash === applicant.keyHash ? admission.askedMs : nowMs,
    decidedMs: nowMs,
  }
}

/**
 * An operator's yes, to the key that asks if one does. Under the sticky policy it holds for the
 * machine's later boots too. For a member whom nobody wants to replace only its ceiling changes.
 */
export function approve(
  admission: AdmissionRecord,
  policy: AdmissionPolicy,
  roleCeiling: RoleCeiling,
  nowMs: number,
): AdmissionRecord {
  const { asking, ...rest } = admission
  const sticky = policy !== 'approve'
  if (asking !== undefined) {
    return { ...rest, ...asking, state: 'approved', sticky, roleCeiling, decidedMs: nowMs }
  }
  const state = rest.state === 'member' ? 'member' : 'approved'
  return { ...rest, state, sticky, roleCeiling, decidedMs: nowMs }
}

/** Someone waits for an operator's word. */
export const isWaiting = (admission: AdmissionRecord): boolean =>
  admission.state === 'pending' || admission.asking !== undefined

/** Whether this key may open the peer door: the record lists it, or it may not. */
export const isListedKey = (admission: AdmissionRecord | undefined, keyHash: string): boolean =>
  admission !== undefined && admission.state === 'member' && admission.keyHash === keyHash
