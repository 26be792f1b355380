/**
 * `jangada snapshot restore`: a new cluster that begins with a saved state. It has its own id, CA
 * and keys, so no machine of the old cluster takes it for its own; what described the old one's
 * machines is left out, what people asked for stays: labels wait for machines with the same ids.
 */
import { type ClusterId, memberId } from '../../base/ids.ts'
import * as keyspace from '../../core/records/keyspace.ts'
import type { ClusterSettingsRecord } from '../../core/records/schemas.ts'
import type { Store } from '../../core/store/store.ts'
import type { Operation } from '../../core/store/types.ts'
import type { Disk } from '../../ports/disk.ts'
import { change, foundLog, removeUnder } from './found.ts'
import {
  keysUnder,
  readSnapshotFile,
  reportOf,
  settingsOf,
  type StateReport,
} from './snapshot-file.ts'

/** Of the old cluster's machines, and of the trust among them. */
const leftOut: Readonly<Record<string, string>> = {
  machines: keyspace.machines.prefix,
  placements: keyspace.placements.prefix,
  leaving: keyspace.leaving.prefix,
  states: keyspace.states.prefix,
  members: keyspace.members.prefix,
  admissions: keyspace.admissions.prefix,
  tokens: keyspace.tokens.prefix,
  nonces: keyspace.nonces.prefix,
  trust: keyspace.authority.prefix,
  images: keyspace.images.prefix,
}

export interface RestorePlan {
  readonly report: StateReport
  readonly settings: ClusterSettingsRecord
  /** What is not taken over, by kind, with how many there are. */
  readonly leftOut: Readonly<Record<string, number>>
  /** Makes the new cluster's first log: this state, with `operations` over it. */
  readonly makeLog: (
    disk: Disk,
    cluster: ClusterId,
    incarnation: string,
    operations: readonly Operation[],
  ) => Promise<void>
}

/** What people have said of machines, for when they come: units ask for it. */
function labelsAhead(store: Store): Operation[] {
  return [...keysUnder(store, keyspace.machines.prefix)].flatMap((key) => {
    const item = store.get(key)
    const machine = item && keyspace.machines.read(item)?.value
    if (machine?.overrides === undefined) return []
    const { id, overrides, statusSinceMs: setMs } = machine
    return [keyspace.labels.put({ v: 1, machineId: id, overrides, setMs }, id)]
  })
}

/** Rejects as `readSnapshotFile`. Nothing is written before `makeLog`. */
export async function planRestore(path: string): Promise<RestorePlan> {
  const { clusterId, store } = await readSnapshotFile(path)
  const report = reportOf(clusterId, store)
  const settings = settingsOf(store)
  // Each by itself: together they may be longer than a transaction.
  for (const waiting of labelsAhead(store)) change(store, [waiting])
  const counts = Object.entries(leftOut).map(([name, prefix]) => [name, removeUnder(store, prefix)])
  return {
    report,
    settings,
    leftOut: Object.fromEntries(counts) as Record<string, number>,
    makeLog: async (disk, cluster, incarnation, operations) => {
      change(store, operations)
      await foundLog(disk, { clusterId: cluster, memberId: memberId(1), incarnation }, store)
    },
  }
}
