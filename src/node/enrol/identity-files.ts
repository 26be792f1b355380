/**
 * A machine's identity on its own disk. The directory is root's alone (the disk makes files
 * 0600), because one of these files is the key, and the key is the identity.
 */
import { fromUtf8, utf8 } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import {
  clusterId,
  isMachineId,
  machineId,
  type ClusterId,
  type MachineId,
} from '../../base/ids.ts'
import * as Type from 'typebox'
import { Compile } from 'typebox/compile'
import type { Crypto, KeyPair } from '../../ports/crypto.ts'
import { replaceFile, type Disk } from '../../ports/disk.ts'
import { peerSchema, type Peer } from './messages.ts'

export interface IdentityFiles {
  readonly clusterId: ClusterId
  readonly machineId: MachineId
  /** The most this machine may become. */
  readonly roleCeiling: 'client' | 'voter'
  readonly privateKeyPem: string
  readonly certificatePem: string
  readonly authorityPem: string
}

const identityPath = 'identity.json'
const keyPath = 'machine-key.pem'
const certificatePath = 'machine-cert.pem'
const authorityPath = 'ca.pem'
const peersPath = 'peers.json'

/** More voters and standbys than any cluster has. */
const peersMax = 64

const identitySchema = Type.Object({
  v: Type.Literal(1),
  clusterId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  machineId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  roleCeiling: Type.Union([Type.Literal('client'), Type.Literal('voter')]),
})
const peersSchema = Type.Object({
  v: Type.Literal(1),
  peers: Type.Array(peerSchema, { maxItems: peersMax }),
})

/** `identity.json` is written last: while it is absent, this machine belongs to no cluster. */
export async function writeIdentity(disk: Disk, files: IdentityFiles): Promise<void> {
  await replaceFile(disk, keyPath, utf8(files.privateKeyPem))
  await replaceFile(disk, certificatePath, utf8(files.certificatePem))
  await replaceFile(disk, authorityPath, utf8(files.authorityPem))
  const { clusterId: cluster, machineId: machine, roleCeiling } = files
  const identity = { v: 1, clusterId: cluster, machineId: machine, roleCeiling }
  await replaceFile(disk, identityPath, json(identity))
}

/** After a renewal. */
export const writeCertificate = (disk: Disk, certificatePem: string): Promise<void> =>
  replaceFile(disk, certificatePath, utf8(certificatePem))

/** Undefined when this machine belongs to no cluster. Rejects with JGD_STATE_DIR when damaged. */
export async function readIdentity(disk: Disk): Promise<IdentityFiles | undefined> {
  if (!(await disk.exists(identityPath))) return undefined
  const identity = await readJson(disk, identityPath)
  if (!Compile(identitySchema).Check(identity) || !isMachineId(identity.machineId)) {
    throw damaged(identityPath)
  }
  return {
    clusterId: clusterId(identity.clusterId),
    machineId: machineId(identity.machineId),
    roleCeiling: identity.roleCeiling,
    privateKeyPem: await readText(disk, keyPath),
    certificatePem: await readText(disk, certificatePath),
    authorityPem: await readText(disk, authorityPath),
  }
}

/** Where to find the cluster after a restart, without DHCP or names. */
export const writePeers = (disk: Disk, peers: readonly Peer[]): Promise<void> =>
  replaceFile(disk, peersPath, json({ v: 1, peers: peers.slice(0, peersMax) }))

/** Empty when there are none yet. Rejects with JGD_STATE_DIR when damaged. */
export async function readPeers(disk: Disk): Promise<readonly Peer[]> {
  if (!(await disk.exists(peersPath))) return []
  const value = await readJson(disk, peersPath)
  if (!Compile(peersSchema).Check(value)) throw damaged(peersPath)
  return value.peers
}

/**
 * This machine's key, made and kept before anyone hears of it: a machine that stops in the
 * middle of joining comes back with the same key and is answered as the one that asked before.
 */
export async function loadOrMakeKey(disk: Disk, crypto: Crypto): Promise<KeyPair> {
  if (await disk.exists(keyPath)) return crypto.importKey(await readText(disk, keyPath))
  const key = await crypto.generateKey()
  await replaceFile(disk, keyPath, utf8(key.privateKeyPem))
  return key
}

const json = (value: unknown): Uint8Array => utf8(`${JSON.stringify(value, undefined, 2)}\n`)

async function readText(disk: Disk, path: string): Promise<string> {
  try {
    return fromUtf8(await disk.readFile(path))
  } catch (cause) {
    throw damaged(path, cause)
  }
}

async function readJson(disk: Disk, path: string): Promise<unknown> {
  const text = await readText(disk, path)
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw damaged(path, cause)
  }
}

const damaged = (path: string, cause?: unknown): JangadaError =>
  new JangadaError('JGD_STATE_DIR', `${path} in the state directory cannot be read`, {
    hint: 'restore it, or empty the state directory and join again',
    cause,
  })
