/**
 * `jangada recover`: when a majority of the voters is lost for good, the cluster goes on from what
 * one of them has. Offline, on a stopped member's directory, and in two steps: `planRecovery` says
 * what would be kept and lost and writes nothing; `recover` does it.
 */
import { readdir, readlink, realpath } from 'node:fs/promises'
import { toHex } from '../../base/bytes.ts'
import { JangadaError } from '../../base/errors.ts'
import { index, memberId, revision, term } from '../../base/ids.ts'
import { members } from '../../core/records/keyspace.ts'
import type { MemberRecord } from '../../core/records/schemas.ts'
import type { RestoredState } from '../../core/raft/types.ts'
import { decodeCommand } from '../../core/store/command-codec.ts'
import { SnapshotRestore } from '../../core/store/snapshot-restore.ts'
import { Store } from '../../core/store/store.ts'
import type { Operation } from '../../core/store/types.ts'
import { readIdentity } from '../../node/enrol/identity-files.ts'
import { putEvent } from '../../node/enrol/context.ts'
import { asidePrefix, nameAside, walDirectory } from '../../node/member/log-directory.ts'
import { identityOf, Wal } from '../../node/wal/wal.ts'
import { systemClock } from '../../platform/clock.ts'
import { directoryDisk } from '../../platform/disk.ts'
import { kernelEntropy } from '../../platform/entropy.ts'
import type { Disk } from '../../ports/disk.ts'
import { change, forgetHistory, foundLog } from './found.ts'
import { keysUnder, reportOf, type StateReport } from './snapshot-file.ts'
import { untouched } from './untouched.ts'

/**
 * A member's id is never given twice. Others were given by entries that may be lost with the
 * majority, so the new one is further ahead than a cluster gets in that time.
 */
const idsSkipped = 1_000_000
/**
 * Nor is a revision: generations of placements are revisions, and nodes and programs remember the
 * newest that they have seen. An entry of the log makes one at most.
 */
const revisionsSkipped = idsSkipped
/** More elections than a cluster has between the last entry here and the loss of the others. */
const termsSkipped = 1000
const ownProcesses = '/proc'

export interface RecoveryPlan {
  readonly stateDirectory: string
  /** The log below it that is read: `wal`, or one that was set aside. */
  readonly log: string
  readonly kept: StateReport
  readonly member: number
  readonly newMember: number
  /** Known to be agreed on; those after it were written here, and perhaps acknowledged. */
  readonly commit: number
  readonly last: number
  /** The members that the cluster goes on without. */
  readonly others: readonly Pick<MemberRecord, 'memberId' | 'machineId' | 'address'>[]
}

interface Read {
  readonly plan: RecoveryPlan
  readonly store: Store
  readonly own: MemberRecord
}

/** Rejects with JGD_NOT_INITIALIZED, JGD_NOT_FOUND, JGD_CONFLICT (it is in use) or a log's error. */
export async function planRecovery(stateDirectory: string, log?: string): Promise<RecoveryPlan> {
  return (await read(stateDirectory, log)).plan
}

/** The log that was there is kept beside. Rejects as `planRecovery`, or with JGD_DISK_FULL. */
export async function recover(stateDirectory: string, log?: string): Promise<RecoveryPlan> {
  const { plan, store, own } = await read(stateDirectory, log)
  const disk = directoryDisk(stateDirectory)
  const deps = { clock: systemClock(), entropy: kernelEntropy() }
  const identity = await readIdentity(disk)
  if (identity === undefined) throw notInitialized(stateDirectory)
  const incarnation = toHex(deps.entropy.bytes(16))
  const id = memberId(plan.newMember)
  const operations: Operation[] = [...keysUnder(store, members.prefix)].map((key) => ({
    kind: 'delete',
    key,
  }))
  change(store, operations)
  store.skipTo(revision(store.revision + revisionsSkipped))
  change(store, [
    members.put({ ...own, memberId: id, incarnation, addedMs: deps.clock.wallMs() }, String(id)),
    putEvent(deps, {
      kind: 'cluster.recovered',
      severity: 'alarm',
      message: `the cluster goes on from member ${plan.member} alone, as of log entry ${plan.last}`,
      machine: identity.machineId,
    }),
  ])
  forgetHistory(store)
  // What the lost majority numbered after that is not numbered again, nor its terms used.
  const lastTerm = store.appliedTerm + termsSkipped
  store.advance({ index: index(plan.newMember), term: term(lastTerm) })
  const aside = await nameAside(disk, deps.clock.wallMs())
  const newIdentity = { clusterId: identity.clusterId, memberId: id, incarnation }
  await foundLog(disk, newIdentity, store, plan.log === walDirectory ? aside : undefined)
  return plan
}

async function read(stateDirectory: string, log = walDirectory): Promise<Read> {
  const real = directoryDisk(stateDirectory)
  const identity = await readIdentity(real)
  if (identity === undefined) throw notInitialized(stateDirectory)
  await refuseWhileInUse(await realpath(stateDirectory))
  if (log !== walDirectory) await refuseBesideMember(real)
  const disk = untouched(real)
  const walIdentity = await identityOf(disk, log)
  if (walIdentity === undefined) throw await noLog(real, log)
  const options = { directory: log, entriesBeforeSnapshot: 0, onFailure: () => undefined }
  const { wal, restored } = await Wal.open(disk, walIdentity, options)
  const store = await stateOf(wal, restored)
  const all = membersIn(store)
  const own = all.find((one) => one.memberId === walIdentity.memberId)
  if (own === undefined) {
    throw new JangadaError('JGD_CONFLICT', 'the state here does not know the member it is of', {
      hint: 'it had just begun: recover from another voter',
    })
  }
  const last = store.appliedIndex
  const plan: RecoveryPlan = {
    stateDirectory,
    log,
    kept: reportOf(walIdentity.clusterId, store),
    member: walIdentity.memberId,
    newMember: last + idsSkipped,
    commit: restored.hardState.commit,
    last,
    others: all.filter((one) => one !== own),
  }
  return { plan, store, own }
}

/** Everything that is in the log counts: what was acknowledged may be among it. */
async function stateOf(wal: Wal, { snapshot, entries, hardState }: RestoredState): Promise<Store> {
  let store = new Store()
  const reading = await wal.readSnapshot(snapshot.index)
  if (reading !== undefined) {
    const restore = new SnapshotRestore()
    for await (const piece of reading.pieces) restore.push(piece)
    const finished = restore.finish()
    if (finished.kind === 'fault') {
      throw new JangadaError('JGD_WAL_DAMAGED', `its snapshot cannot be read: ${finished.reason}`)
    }
    store = finished.store
  }
  for (const entry of entries) {
    if (entry.index <= snapshot.index) continue
    const position = { index: entry.index, term: entry.term }
    if (entry.kind === 'config' || entry.data.length === 0) {
      store.advance(position)
      continue
    }
    const decoded = decodeCommand(entry.data)
    if (decoded.kind !== 'command') {
      const message = `log entry ${entry.index} is of a version that is not known here`
      throw new JangadaError('JGD_WAL_VERSION', message, {
        hint: 'run the version of Jangada that wrote it, or a newer one',
      })
    }
    store.apply(decoded.command, position)
  }
  const newest = hardState.term > store.appliedTerm ? hardState.term : store.appliedTerm
  store.advance({ index: store.appliedIndex, term: newest })
  return store
}

function membersIn(store: Store): MemberRecord[] {
  const answer = store.range(members.range)
  const items = answer.kind === 'range' ? answer.result.items : []
  return items.flatMap((item) => members.read(item)?.value ?? [])
}

/** A member that runs keeps its log's files open. */
async function refuseWhileInUse(stateDirectory: string): Promise<void> {
  const logs = [`${walDirectory}/`, asidePrefix].map((name) => `${stateDirectory}/${name}`)
  for (const name of await readdir(ownProcesses)) {
    if (!/^\d+$/.test(name)) continue
    const descriptors = `${ownProcesses}/${name}/fd`
    for (const each of await readdir(descriptors).catch(() => [])) {
      const target = await readlink(`${descriptors}/${each}`).catch(() => '')
      if (!logs.some((prefix) => target.startsWith(prefix))) continue
      throw new JangadaError('JGD_CONFLICT', `process ${name} uses ${stateDirectory}`, {
        hint: 'stop it first, for example: systemctl stop jangada',
      })
    }
  }
}

async function refuseBesideMember(disk: Disk): Promise<void> {
  if ((await identityOf(disk, walDirectory)) === undefined) return
  throw new JangadaError('JGD_CONFLICT', 'there is a member here that its log belongs to', {
    hint: 'leave --log out to recover from it, or move its directory "wal" away first',
  })
}

async function noLog(disk: Disk, log: string): Promise<JangadaError> {
  const aside = (await disk.list('')).filter((name) => name.startsWith(asidePrefix))
  return new JangadaError('JGD_NOT_FOUND', `there is no member's log in ${log}`, {
    hint:
      aside.length === 0
        ? 'recover on a machine that was a voter'
        : `set aside are ${aside.join(' and ')}: see --log`,
  })
}

const notInitialized = (stateDirectory: string): JangadaError =>
  new JangadaError('JGD_NOT_INITIALIZED', `${stateDirectory} belongs to no cluster`, {
    hint: 'name the state directory of a machine that was a voter: --state-dir',
  })
