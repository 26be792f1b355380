/** Reads a saved snapshot from its first byte to its last, as `verify` and `restore` do. */
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import type { ClusterId } from '../../base/ids.ts'
import { clusterSettings, events, systemPrefix, units } from '../../core/records/keyspace.ts'
import { prefixEnd } from '../../core/records/record.ts'
import type { ClusterSettingsRecord } from '../../core/records/schemas.ts'
import type { SnapshotRef } from '../../core/raft/types.ts'
import { SnapshotRestore } from '../../core/store/snapshot-restore.ts'
import type { Store } from '../../core/store/store.ts'
import { readPieces, readSnapshotHeader } from '../../node/wal/snapshot-file.ts'
import { digestOfFile } from '../../platform/digest.ts'
import { openForReading } from '../../platform/disk.ts'
import { DiskError } from '../../ports/disk.ts'

/** What a copy of the state holds, for people. */
export interface StateReport {
  readonly clusterId: string
  readonly revision: number
  /** The last log entry in it. */
  readonly index: number
  readonly term: number
  readonly keys: number
  /** Those outside of the system's own prefix. */
  readonly userKeys: number
  readonly units: number
  /** The newest event's time on its leader's clock, milliseconds since 1970; 0 without events. */
  readonly newestEventMs: number
}

export interface SnapshotReport extends StateReport {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

export interface ReadSnapshot {
  readonly clusterId: ClusterId
  readonly snapshot: SnapshotRef
  readonly store: Store
}

/** Rejects with JGD_WAL_DAMAGED, JGD_WAL_VERSION or, when there is no such file, JGD_NOT_FOUND. */
export async function readSnapshotFile(path: string): Promise<ReadSnapshot> {
  try {
    const file = await openForReading(path)
    try {
      const { clusterId, snapshot, end } = await readSnapshotHeader(file)
      const restore = new SnapshotRestore()
      for await (const piece of readPieces(file, end)) {
        const fault = restore.push(piece)
        if (fault !== undefined) throw unreadable(path, fault.reason)
      }
      const finished = restore.finish()
      if (finished.kind === 'fault') throw unreadable(path, finished.reason)
      return { clusterId, snapshot, store: finished.store }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isJangadaError(error, 'JGD_WAL_DAMAGED'))
      throw unreadable(path, error.message.replace(`${path} is `, ''))
    if (!(error instanceof DiskError)) throw error
    const code = error.reason === 'ENOENT' ? 'JGD_NOT_FOUND' : 'JGD_DISK_FAILED'
    throw new JangadaError(code, `${path} cannot be read: ${error.reason}`, { cause: error })
  }
}

const unreadable = (path: string, why: string): JangadaError =>
  new JangadaError('JGD_WAL_DAMAGED', `${path} is no whole snapshot: ${why}`, {
    hint: 'take another copy: nothing is restored from a part of one. "jangada snapshot save" makes one',
  })

export async function verifySnapshot(path: string): Promise<SnapshotReport> {
  const { clusterId, store } = await readSnapshotFile(path)
  const { sha256, size } = await digestOfFile(path)
  return { ...reportOf(clusterId, store), path, bytes: size, sha256 }
}

export function reportOf(clusterId: ClusterId, store: Store): StateReport {
  const { revision, liveKeys } = store.stats()
  const system = countIn(store, systemPrefix)
  return {
    clusterId,
    revision,
    index: store.appliedIndex,
    term: store.appliedTerm,
    keys: liveKeys,
    userKeys: liveKeys - system,
    units: countIn(store, units.prefix),
    newestEventMs: newestEventMs(store),
  }
}

/** Every key that begins with `prefix`, a bounded stretch at a time. */
export function* keysUnder(store: Store, prefix: string): Generator<string> {
  const rangeEnd = prefixEnd(prefix)
  for (let key = prefix; ;) {
    const answer = store.range({ key, rangeEnd, limit: 1000, keysOnly: true })
    if (answer.kind !== 'range') return
    const { items } = answer.result
    for (const item of items) yield item.key
    const last = items.at(-1)
    if (last === undefined) return
    key = `${last.key}\0`
  }
}

function countIn(store: Store, prefix: string): number {
  let count = 0
  for (const _ of keysUnder(store, prefix)) count += 1
  return count
}

/** Keys of events begin with their time. */
function newestEventMs(store: Store): number {
  let newest = ''
  for (const key of keysUnder(store, events.prefix)) newest = key
  return newest === '' ? 0 : Number(newest.slice(events.prefix.length).split('-')[0])
}

/** How the cluster was set up. Throws JGD_WAL_DAMAGED when the state does not say. */
export function settingsOf(store: Store): ClusterSettingsRecord {
  const answer = store.range({ key: clusterSettings.key('cluster') })
  const item = answer.kind === 'range' ? answer.result.items[0] : undefined
  const record = item === undefined ? undefined : clusterSettings.read(item)?.value
  if (record !== undefined) return record
  throw new JangadaError('JGD_WAL_DAMAGED', 'the state has no settings of a cluster in it', {
    hint: 'take a snapshot of a cluster that has been up at least once',
  })
}
