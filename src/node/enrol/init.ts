/** `jangada init`: everything that makes a cluster out of nothing, before its first log entry. */
import { toBase64, toHex } from '../../base/bytes.ts'
import { clusterId, type ClusterId, type MachineId } from '../../base/ids.ts'
import * as keyspace from '../../core/records/keyspace.ts'
import type { AdmissionRecord, ClusterSettingsRecord } from '../../core/records/schemas.ts'
import type { Operation } from '../../core/store/types.ts'
import { memberRecord } from '../../core/trust/admission.ts'
import { authorityLifetime } from '../../core/trust/certificate.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Authority, Crypto, KeyPair } from '../../ports/crypto.ts'
import type { Entropy } from '../../ports/entropy.ts'
import { putEvent } from './context.ts'
import { issueFor } from './issue.ts'
import type { IdentityFiles } from './identity-files.ts'
import type { MachineFacts } from './messages.ts'
import { authorityKeyBytes, sealFor } from './secrets.ts'
import { mintToken } from './tokens.ts'

export interface InitInput {
  readonly machineId: MachineId
  readonly facts: MachineFacts
  readonly settings: Pick<ClusterSettingsRecord, 'voters' | 'admission' | 'status' | 'featureLevel'>
}

export interface InitOutcome {
  readonly clusterId: ClusterId
  /** What this machine keeps in its state directory. */
  readonly files: IdentityFiles
  /** The first transaction of the store; it finds the store empty. */
  readonly operations: readonly Operation[]
  /** Shown once, and stored nowhere: `A1.…`. */
  readonly adminToken: string
}

/** The first admin token lasts as long as the CA; whoever wants it shorter makes another. */
export async function createCluster(
  deps: { readonly crypto: Crypto; readonly clock: Clock; readonly entropy: Entropy },
  { machineId, facts, settings }: InitInput,
): Promise<InitOutcome> {
  const { crypto, clock, entropy } = deps
  const nowMs = clock.wallMs()
  const id = clusterId(toHex(entropy.bytes(16)))
  const authority = await makeAuthority(crypto, id, nowMs)
  const key = await crypto.generateKey()
  const lifetime = authorityLifetime(nowMs)
  const { text, record } = mintToken(deps, {
    use: 'api',
    clusterId: id,
    pin: authority.key.keyHash,
    scope: 'admin',
    roleCeiling: 'client',
    usesLeft: 0,
    expiresMs: lifetime.notAfterMs,
  })
  const secrets = {
    'authority-key': authorityKeyBytes(authority.key),
    'boot-key': entropy.bytes(32),
  }
  const recipient = { machineId, keyHash: key.keyHash, publicKeySpki: key.publicKeySpki }
  const operations = [
    keyspace.clusterSettings.put({ v: 1, clusterId: id, createdMs: nowMs, ...settings }, 'cluster'),
    keyspace.authority.put(
      { v: 1, certificatePem: authority.certificatePem, createdMs: nowMs },
      'authority',
    ),
    ...(await sealFor(crypto, recipient, secrets)),
    keyspace.admissions.put(firstAdmission(machineId, key, facts, nowMs), machineId),
    keyspace.tokens.put(record, record.id),
    putEvent(deps, {
      kind: 'cluster.created',
      severity: 'info',
      message: `cluster ${id} was created on ${facts.name}`,
      machine: machineId,
    }),
  ]
  const certificatePem = await issueFor(crypto, authority, nowMs, {
    clusterId: id,
    machineId,
    publicKeySpki: key.publicKeySpki,
    addresses: [facts.address],
  })
  const files: IdentityFiles = {
    clusterId: id,
    machineId,
    roleCeiling: 'voter',
    privateKeyPem: key.privateKeyPem,
    certificatePem,
    authorityPem: authority.certificatePem,
  }
  return { clusterId: id, files, operations, adminToken: text }
}

async function makeAuthority(crypto: Crypto, id: ClusterId, nowMs: number): Promise<Authority> {
  const key = await crypto.generateKey()
  const claims = { clusterId: id, ...authorityLifetime(nowMs) }
  return { key, certificatePem: await crypto.makeAuthority(key, claims) }
}

function firstAdmission(
  machineId: MachineId,
  key: KeyPair,
  facts: MachineFacts,
  nowMs: number,
): AdmissionRecord {
  const applicant = {
    machineId,
    keyHash: key.keyHash,
    publicKey: toBase64(key.publicKeySpki),
    ...facts,
  }
  const proof = { by: 'init', tokenId: '' } as const
  return memberRecord(undefined, applicant, proof, { roleCeiling: 'voter', sticky: false }, nowMs)
}
