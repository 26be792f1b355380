/** A cluster's CA and certified machines, from any side of `ports/Crypto`, for tests. */
import type { Authority, Crypto, KeyPair } from '../../src/ports/crypto.ts'

export interface TestIdentity {
  readonly clusterId: string
  readonly machineId: string
  readonly keyHash: string
  readonly privateKeyPem: string
  readonly certificatePem: string
  readonly authorityPem: string
  /** The same machine with a new key and certificate. */
  renewed(): Promise<TestIdentity>
}

export interface TestCluster {
  readonly authority: Authority
  machine(machineId: string, lifetime?: Lifetime): Promise<TestIdentity>
}

export interface Lifetime {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

const usualLifetime: Lifetime = {
  notBeforeMs: Date.UTC(2026, 0, 1),
  notAfterMs: Date.UTC(2046, 0, 1),
}

export async function makeTestCluster(crypto: Crypto, clusterId: string): Promise<TestCluster> {
  const key = await crypto.generateKey()
  const certificatePem = await crypto.makeAuthority(key, { clusterId, ...usualLifetime })
  const authority: Authority = { key, certificatePem }
  const certify = async (
    machineId: string,
    own: KeyPair,
    lifetime: Lifetime,
  ): Promise<TestIdentity> => ({
    clusterId,
    machineId,
    keyHash: own.keyHash,
    privateKeyPem: own.privateKeyPem,
    authorityPem: certificatePem,
    certificatePem: await crypto.issueCertificate(authority, {
      clusterId,
      machineId,
      ...lifetime,
      publicKeySpki: own.publicKeySpki,
      alternativeNames: ['127.0.0.1', 'jangada'],
    }),
    renewed: async () => certify(machineId, await crypto.generateKey(), lifetime),
  })
  return {
    authority,
    machine: async (machineId, lifetime = usualLifetime) =>
      certify(machineId, await crypto.generateKey(), lifetime),
  }
}
