/**
 * The cluster's secrets: the CA's key and the key under which boot nonces are sealed. The store
 * has them only sealed, one copy a holder's machine; in the clear they are in holders' memory.
 */
import { assert } from '../../base/assert.ts'
import { fromBase64, fromUtf8, toBase64, utf8 } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import type { MachineId } from '../../base/ids.ts'
import { admissions, authority, sealed } from '../../core/records/keyspace.ts'
import type { SealedRecord } from '../../core/records/schemas.ts'
import type { Operation } from '../../core/store/types.ts'
import type { Authority, Crypto, KeyPair } from '../../ports/crypto.ts'
import { readRecord, type EnrolContext, type EnrolStore } from './context.ts'

export type SecretName = SealedRecord['name']

export interface SecretHolderOptions {
  readonly machineId: MachineId
  /** This machine's own key. */
  readonly key: KeyPair
  readonly store: EnrolStore
  readonly crypto: Crypto
}

/** This machine's copies, opened when first needed and kept in memory from then on. */
export class SecretHolder {
  readonly #options: SecretHolderOptions
  #authority: Authority | undefined
  #bootKey: Uint8Array | undefined

  constructor(options: SecretHolderOptions) {
    this.#options = options
  }

  /** Undefined when this machine is no holder: another one must sign. */
  async authority(): Promise<Authority | undefined> {
    if (this.#authority !== undefined) return this.#authority
    const { store, crypto } = this.#options
    const plain = await this.#open('authority-key')
    const { items } = await store.range({ key: authority.key('authority') }, 'local')
    const record = items[0] === undefined ? undefined : authority.read(items[0])
    if (plain === undefined || record === undefined) return undefined
    const key = await crypto.importKey(fromUtf8(plain))
    this.#authority = { key, certificatePem: record.value.certificatePem }
    return this.#authority
  }

  /** Rejects with JGD_NOT_LEADER when this machine is no holder; the caller forwards. */
  async requireAuthority(): Promise<Authority> {
    const found = await this.authority()
    if (found !== undefined) return found
    throw new JangadaError('JGD_NOT_LEADER', "this machine does not hold the CA's key", {
      hint: 'ask a machine that is a voter',
    })
  }

  /** Undefined when this machine is no holder. 32 bytes. */
  async bootKey(): Promise<Uint8Array | undefined> {
    this.#bootKey ??= await this.#open('boot-key')
    return this.#bootKey
  }

  async #open(name: SecretName): Promise<Uint8Array | undefined> {
    const { store, crypto, machineId, key } = this.#options
    const { items } = await store.range({ key: sealed.key(name, machineId) }, 'local')
    const record = items[0] === undefined ? undefined : sealed.read(items[0])
    if (record === undefined) return undefined
    const box = fromBase64(record.value.sealed)
    return box === undefined ? undefined : crypto.unseal(key, box)
  }
}

export interface Recipient {
  readonly machineId: MachineId
  readonly keyHash: string
  readonly publicKeySpki: Uint8Array
}

/** Both secrets, sealed to one machine. */
export async function sealFor(
  crypto: Crypto,
  recipient: Recipient,
  secrets: Readonly<Record<SecretName, Uint8Array>>,
): Promise<Operation[]> {
  const operations: Operation[] = []
  for (const name of ['authority-key', 'boot-key'] as const) {
    operations.push(await sealOne(crypto, recipient, name, secrets[name]))
  }
  return operations
}

async function sealOne(
  crypto: Crypto,
  { machineId, keyHash, publicKeySpki }: Recipient,
  name: SecretName,
  plain: Uint8Array,
): Promise<Operation> {
  const box = await crypto.seal(publicKeySpki, plain)
  const record: SealedRecord = { v: 1, name, machineId, keyHash, sealed: toBase64(box) }
  return sealed.put(record, name, machineId)
}

/** The CA's key as it is sealed: its PEM. */
export const authorityKeyBytes = (key: KeyPair): Uint8Array => utf8(key.privateKeyPem)

/**
 * Both secrets for a machine that becomes a voter, from this holder's copies. The operations
 * belong into the transaction that makes it one. Rejects with JGD_NOT_LEADER when this machine
 * is no holder, and with JGD_KEY_UNKNOWN when no admitted key of that machine is on record.
 */
export async function sealSecretsFor(
  context: Pick<EnrolContext, 'store' | 'crypto' | 'secrets'>,
  machineId: MachineId,
): Promise<Operation[]> {
  const { key } = await context.secrets.requireAuthority()
  const bootKey = await context.secrets.bootKey()
  assert(bootKey !== undefined, 'a holder of one secret holds both')
  const admission = await readRecord(context.store, admissions, machineId)
  const publicKeySpki = fromBase64(admission?.value.publicKey ?? '')
  if (admission?.value.state !== 'member' || publicKeySpki === undefined) {
    throw new JangadaError('JGD_KEY_UNKNOWN', `machine ${machineId} has no admitted key`)
  }
  const recipient = { machineId, keyHash: admission.value.keyHash, publicKeySpki }
  const secrets = { 'authority-key': authorityKeyBytes(key), 'boot-key': bootKey }
  return sealFor(context.crypto, recipient, secrets)
}
