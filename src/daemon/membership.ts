/** How a machine comes to belong to a cluster: makes one, joins one, or was booted by one. */
import { assert } from '../base/assert.ts'
import { fromUtf8, toHex, utf8 } from '../base/bytes.ts'
import { describeError, JangadaError } from '../base/errors.ts'
import { members } from '../core/records/keyspace.ts'
import { machineIdCandidates } from '../core/trust/machine-id.ts'
import { featureLevel } from '../core/records/features.ts'
import {
  type IdentityFiles,
  loadOrMakeKey,
  readIdentity,
  writeIdentity,
  writePeers,
} from '../node/enrol/identity-files.ts'
import { createCluster } from '../node/enrol/init.ts'
import { type JoinOutcome, joinWithNonce, joinWithToken } from '../node/enrol/join.ts'
import { createFirstMember } from '../node/member/seat.ts'
import { systemClock } from '../platform/clock.ts'
import { runCommand } from '../platform/commands.ts'
import { nodeCrypto } from '../platform/crypto.ts'
import { directoryDisk } from '../platform/disk.ts'
import { kernelEntropy } from '../platform/entropy.ts'
import { makeDirectories } from '../platform/file-tree.ts'
import { nodePinnedHttps } from '../platform/pinned-https.ts'
import { type Disk, replaceFile } from '../ports/disk.ts'
import type { Log } from '../ports/log.ts'
import type { InitConfig, JoinConfig, MachineConfig } from './config.ts'
import { bootArguments, machineFacts, parseDoor } from './machine.ts'

/** A clock that is further off than this is set to the cluster's; less is NTP's business. */
const clockErrorMsMax = 120_000
const dateTimeoutMs = 5000
/** The key and the whole state of the cluster are in it: root's alone. */
const stateDirectoryMode = 0o700
const namePath = 'name'
const addressPath = 'address'

export async function stateDisk(config: MachineConfig): Promise<Disk> {
  try {
    await makeDirectories(config.stateDirectory, stateDirectoryMode)
  } catch (error) {
    throw new JangadaError('JGD_STATE_DIR', `${config.stateDirectory} cannot be made or used`, {
      hint: 'name a directory that root may make, or that is there: --state-dir',
      cause: error,
    })
  }
  return directoryDisk(config.stateDirectory)
}

export interface InitOutcome {
  readonly clusterId: string
  readonly machineId: string
  readonly adminToken: string
}

/**
 * Rejects with JGD_ALREADY_INITIALIZED when the state directory belongs to a cluster. `makeLog`
 * makes the first member's log, with these operations over whatever it begins with.
 */
export async function initialise(
  config: InitConfig,
  makeLog: typeof createFirstMember = createFirstMember,
): Promise<InitOutcome> {
  const disk = await stateDisk(config)
  await refuseIdentity(disk, config)
  const deps = { crypto: nodeCrypto(), clock: systemClock(), entropy: kernelEntropy() }
  const facts = await machineFacts(config)
  const [machineId] = machineIdCandidates({ smbiosUuid: facts.uuid, macs: facts.macs })
  if (machineId === undefined) {
    throw new JangadaError('JGD_BAD_REQUEST', 'this machine has neither an SMBIOS UUID nor a MAC', {
      hint: 'a machine needs one of them to be told from others',
    })
  }
  const { voters, admission } = config
  const settings = { voters, admission, status: 'full', featureLevel } as const
  const made = await createCluster(deps, { machineId, facts, settings })
  const incarnation = toHex(deps.entropy.bytes(16))
  const address = `${facts.address}:${config.ports.peer}`
  const addedMs = deps.clock.wallMs()
  const first = { v: 1, memberId: 1, machineId, address, incarnation, addedMs } as const
  await makeLog(disk, made.clusterId, incarnation, [...made.operations, members.put(first, '1')])
  await writePeers(disk, [{ machineId, address }])
  await rememberGiven(disk, config)
  // Last: until it is there, this machine belongs to no cluster and `init` may be run again.
  await writeIdentity(disk, made.files)
  return { clusterId: made.clusterId, machineId, adminToken: made.adminToken }
}

/** Resolves once admitted. Rejects as `joinWithToken`, or with JGD_ALREADY_INITIALIZED. */
export async function joinCluster(
  config: JoinConfig,
  onPending: (machineId: string) => void,
  signal?: AbortSignal,
): Promise<IdentityFiles> {
  const disk = await stateDisk(config)
  await refuseIdentity(disk, config)
  const door = parseDoor(config.door, config.ports.api)
  const deps = joinDeps()
  const outcome = await joinWithToken(deps, config.token, {
    doors: [door],
    key: await loadOrMakeKey(disk, deps.crypto),
    facts: await machineFacts(config),
    onPending,
    ...(signal === undefined ? {} : { signal }),
  })
  await rememberGiven(disk, config)
  return keep(disk, outcome)
}

/** A blank machine's way in; undefined when no cluster has booted this machine. */
export async function joinAsBooted(
  config: MachineConfig,
  log: Log,
  signal: AbortSignal,
): Promise<IdentityFiles | undefined> {
  const boot = await bootArguments()
  if (boot === undefined) return undefined
  const disk = await stateDisk(config)
  const deps = joinDeps()
  const key = await loadOrMakeKey(disk, deps.crypto)
  const outcome = await joinWithNonce(deps, boot, {
    doors: boot.doors.map((door) => parseDoor(door, config.ports.api)),
    key,
    facts: await machineFacts(config),
    onPending: (machineId) =>
      log.info('waiting to be admitted', {
        machineId,
        // The same is in `jangada machines --pending`: whoever admits can compare the two.
        keyHash: key.keyHash,
        next: `jangada admit ${machineId}`,
      }),
    signal,
  })
  await setClock(outcome.wallMs, log)
  return keep(disk, outcome)
}

/** The identity that is there, or undefined. */
export const storedIdentity = async (config: MachineConfig): Promise<IdentityFiles | undefined> =>
  readIdentity(await stateDisk(config))

/** A name or an address given once need not be given again at every start. */
async function rememberGiven(disk: Disk, { name, address }: MachineConfig): Promise<void> {
  if (name !== undefined) await replaceFile(disk, namePath, utf8(`${name}\n`))
  if (address !== undefined) await replaceFile(disk, addressPath, utf8(`${address}\n`))
}

export const rememberedName = (disk: Disk): Promise<string | undefined> => lineOf(disk, namePath)
export const rememberedAddress = (disk: Disk): Promise<string | undefined> =>
  lineOf(disk, addressPath)

async function lineOf(disk: Disk, path: string): Promise<string | undefined> {
  if (!(await disk.exists(path))) return undefined
  const line = fromUtf8(await disk.readFile(path)).trim()
  return line === '' ? undefined : line
}

async function refuseIdentity(disk: Disk, config: MachineConfig): Promise<void> {
  const present = await readIdentity(disk)
  if (present === undefined) return
  throw new JangadaError(
    'JGD_ALREADY_INITIALIZED',
    `${config.stateDirectory} already belongs to cluster ${present.clusterId}`,
    { hint: 'run "jangada up"; to leave that cluster, empty the directory first' },
  )
}

function joinDeps(): Parameters<typeof joinWithToken>[0] {
  return {
    https: nodePinnedHttps(),
    crypto: nodeCrypto(),
    clock: systemClock(),
    entropy: kernelEntropy(),
  }
}

async function keep(disk: Disk, outcome: JoinOutcome): Promise<IdentityFiles> {
  assert(outcome.files.privateKeyPem !== '', 'who joined has a key')
  await writePeers(disk, outcome.peers)
  await writeIdentity(disk, outcome.files)
  return outcome.files
}

/** Certificates and logs of a machine whose clock is years off would help nobody. */
async function setClock(wallMs: number, log: Log): Promise<void> {
  const errorMs = systemClock().wallMs() - wallMs
  if (Math.abs(errorMs) <= clockErrorMsMax) return
  try {
    const seconds = Math.round(wallMs / 1000)
    await runCommand('date', ['-s', `@${seconds}`], { timeoutMs: dateTimeoutMs })
    log.warn('the clock was wrong and is set', { errorMs })
  } catch (error) {
    log.warn('the clock is wrong and could not be set', { errorMs, cause: describeError(error) })
  }
}
