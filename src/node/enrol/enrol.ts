/**
 * The cluster's side of joining: `POST /v1/enrol`. A machine shows a join token or a boot nonce
 * and a request for a certificate; one guarded transaction spends the proof and lists the key;
 * only then is anything signed. Whoever handles it must hold the CA's key.
 */
import { toBase64 } from '../../base/bytes.ts'
import { assertNever } from '../../base/assert.ts'
import { JangadaError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import * as keyspace from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { AdmissionRecord, MachineRecord } from '../../core/records/schemas.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import {
  decideAdmission,
  memberRecord,
  waitingRecord,
  type AdmissionVerdict,
  type Applicant,
  type Proof,
} from '../../core/trust/admission.ts'
import { machineIdCandidates } from '../../core/trust/machine-id.ts'
import type { Refusal } from '../../core/trust/verdict.ts'
import type { Authority } from '../../ports/crypto.ts'
import { decideAndCommit, putEvent, readRecord, unchanged, type EnrolContext } from './context.ts'
import { issueFor } from './issue.ts'
import type { EnrolAnswer, EnrolRequest, MachineFacts } from './messages.ts'
import { readPeersOf } from './peers.ts'
import { checkProof, type CheckedProof } from './proof.ts'

/** How soon a waiting machine may ask again. */
const retryAfterMs = 2_000

/** What the request has shown before any record is read. */
export interface Asking {
  readonly keyHash: string
  readonly publicKeySpki: Uint8Array
  readonly facts: MachineFacts
  readonly remoteAddress: string
}

/** How it goes on for one of the ids that the machine may have. */
interface Settled {
  readonly machineId: MachineId
  readonly admission: Stored<AdmissionRecord> | undefined
  readonly machine: Stored<MachineRecord> | undefined
  readonly verdict: Exclude<AdmissionVerdict, Refusal | { kind: 'otherHardware' }>
}

interface Outcome {
  readonly machineId: MachineId
  /** Undefined while it waits. */
  readonly roleCeiling: AdmissionRecord['roleCeiling'] | undefined
}

/**
 * Rejects with JGD_BAD_REQUEST, JGD_TOKEN_INVALID, JGD_TOKEN_EXPIRED, JGD_TOKEN_USED_UP,
 * JGD_NONCE_INVALID, JGD_NONCE_REUSED, JGD_MACHINE_LIVE, JGD_FORBIDDEN, with JGD_NOT_LEADER when
 * this machine does not hold the CA's key, or as `StoreAccess.transact` does. After
 * JGD_OUTCOME_UNKNOWN the machine asks again with the same key and is answered.
 */
export async function enrol(
  context: EnrolContext,
  { proof, request, facts }: EnrolRequest,
  remoteAddress: string,
): Promise<EnrolAnswer> {
  const authority = await context.secrets.requireAuthority()
  const read = await context.crypto.readRequest(request)
  if (read === undefined) throw badRequest('the certificate request cannot be read')
  if (candidatesOf(facts).length === 0) {
    throw badRequest('the machine told neither a usable UUID nor a MAC address')
  }
  const asking: Asking = { ...read, facts, remoteAddress }
  const outcome = await decideAndCommit(context.store, async () => {
    const checked = await checkProof(context, proof, asking)
    if (checked.kind === 'refused') throw await refusal(context, checked, remoteAddress)
    const settled = await settle(context, checked, asking)
    return toDecision(context, checked, settled, asking)
  })
  return toAnswer(context, authority, outcome, asking)
}

const badRequest = (message: string): JangadaError => new JangadaError('JGD_BAD_REQUEST', message)

const candidatesOf = ({ uuid, macs }: MachineFacts): readonly MachineId[] =>
  machineIdCandidates({ smbiosUuid: uuid, macs })

const refusal = (
  context: EnrolContext,
  { code, message, hint }: Refusal,
  remoteAddress: string,
  machineId?: MachineId,
): Promise<JangadaError> =>
  context.refusals.refuse({
    code,
    message,
    remoteAddress,
    ...(hint === undefined ? {} : { hint }),
    ...(machineId === undefined ? {} : { machineId }),
  })

/** Goes through the ids the machine may have, best first, until one is not of other hardware. */
async function settle(
  context: EnrolContext,
  checked: CheckedProof,
  { keyHash, facts, remoteAddress }: Asking,
): Promise<Settled> {
  for (const machineId of candidatesOf(facts)) {
    const admission = await readRecord(context.store, keyspace.admissions, machineId)
    const machine = await readRecord(context.store, keyspace.machines, machineId)
    const verdict = decideAdmission({
      proof: toProof(checked),
      keyHash,
      macs: facts.macs,
      admission: admission?.value,
      machine: machine?.value,
    })
    if (verdict.kind === 'otherHardware') continue
    // A spent or stolen proof is told as such, whatever else is wrong.
    const known = verdict.kind === 'again'
    const spent = known ? undefined : checked.refusalUnlessKnown(admission?.value)
    if (spent !== undefined) throw await refusal(context, spent, remoteAddress, machineId)
    if (verdict.kind === 'refused') throw await refusal(context, verdict, remoteAddress, machineId)
    return { machineId, admission, machine, verdict }
  }
  throw new JangadaError('JGD_CONFLICT', 'every id of this machine belongs to other hardware', {
    hint: 'its UUID is not unique and its MAC address is taken; forget the other machine first',
  })
}

const toProof = (checked: CheckedProof): Proof =>
  checked.kind === 'token'
    ? { kind: 'token', tokenId: checked.tokenId, roleCeiling: checked.roleCeiling }
    : { kind: 'nonce', policy: checked.policy }

function toDecision(
  context: EnrolContext,
  checked: CheckedProof,
  { machineId, admission, machine, verdict }: Settled,
  asking: Asking,
): { compare: Compare[]; then: Operation[]; value: Outcome } {
  const nowMs = context.clock.wallMs()
  const before = admission?.value
  const applicant = toApplicant(machineId, asking)
  const guards = [
    unchanged(keyspace.admissions.key(machineId), admission),
    unchanged(keyspace.machines.key(machineId), machine),
  ]
  const write = (record: AdmissionRecord, kind: keyof typeof words): Operation[] => [
    ...checked.spend(machineId),
    keyspace.admissions.put(record, machineId),
    putEvent(context, {
      kind,
      severity: 'info',
      message: `${applicant.name} (${applicant.address}) ${words[kind]}, with a ${checked.kind}`,
      machine: machineId,
    }),
  ]
  const compare = [...guards, ...checked.compare]
  switch (verdict.kind) {
    case 'again':
      return { compare, then: [], value: { machineId, roleCeiling: before?.roleCeiling } }
    case 'wait': {
      const value = { machineId, roleCeiling: undefined }
      // It polls: only its first word is worth a write.
      if (isWaitingWith(before, asking.keyHash)) return { compare, then: [], value }
      return {
        compare,
        then: write(waitingRecord(before, applicant, nowMs), 'machine.pending'),
        value,
      }
    }
    case 'admit': {
      const { roleCeiling, sticky } = verdict
      const by = { by: checked.kind, tokenId: checked.kind === 'token' ? checked.tokenId : '' }
      const record = memberRecord(before, applicant, by, { roleCeiling, sticky }, nowMs)
      return { compare, then: write(record, 'machine.admitted'), value: { machineId, roleCeiling } }
    }
    default:
      return assertNever(verdict)
  }
}

/** What the events of an enrolment say of the machine. */
const words = {
  'machine.pending': 'asks to be let in',
  'machine.admitted': 'was let in',
} as const

const isWaitingWith = (admission: AdmissionRecord | undefined, keyHash: string): boolean =>
  (admission?.state === 'pending' && admission.keyHash === keyHash) ||
  admission?.asking?.keyHash === keyHash

function toApplicant(machineId: MachineId, { keyHash, publicKeySpki, facts }: Asking): Applicant {
  const { name, macs, uuid, address } = facts
  return { machineId, keyHash, publicKey: toBase64(publicKeySpki), name, macs, uuid, address }
}

async function toAnswer(
  context: EnrolContext,
  authority: Authority,
  { machineId, roleCeiling }: Outcome,
  { publicKeySpki, facts }: Asking,
): Promise<EnrolAnswer> {
  const { clusterId, crypto, store } = context
  const wallMs = context.clock.wallMs()
  if (roleCeiling === undefined) return { state: 'pending', machineId, retryAfterMs, wallMs }
  const holder = { clusterId, machineId, publicKeySpki, addresses: [facts.address] }
  return {
    state: 'admitted',
    machineId,
    clusterId,
    certificatePem: await issueFor(crypto, authority, wallMs, holder),
    authorityPem: authority.certificatePem,
    roleCeiling,
    peers: await readPeersOf(store),
    wallMs,
  }
}
