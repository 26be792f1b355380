/** The cluster's records, all as of one revision, and who said so. */
import { isJangadaError } from '../../base/errors.ts'
import { type Revision, revision } from '../../base/ids.ts'
import * as keyspace from '../../core/records/keyspace.ts'
import type { RecordKind, Stored } from '../../core/records/record.ts'
import type {
  ClusterSettingsRecord,
  CrashRecord,
  EventRecord,
  LeavingRecord,
  MachineRecord,
  MemberRecord,
  PlacementRecord,
  QuotaAlarmRecord,
  UnitRecord,
  UnitStateRecord,
  VolumeRecord,
} from '../../core/records/schemas.ts'
import type { KeyValue } from '../../core/store/types.ts'
import type { Consistency, MemberView, StoreAccess } from '../member/store-access.ts'

export interface ClusterRecords {
  readonly revision: Revision
  readonly settings: ClusterSettingsRecord | undefined
  /** By id. */
  readonly machines: ReadonlyMap<string, MachineRecord>
  readonly members: readonly MemberRecord[]
  /** By name, in the order of names. */
  readonly units: ReadonlyMap<string, UnitRecord>
  readonly placements: readonly Stored<PlacementRecord>[]
  /** While the store is full. */
  readonly storeFull: QuotaAlarmRecord | undefined
  /** By unit: those that were in a crash loop of late. */
  readonly crashes: ReadonlyMap<string, CrashRecord>
  /** Taken off their machines and not gone yet. */
  readonly leaving: readonly LeavingRecord[]
  readonly volumes: readonly VolumeRecord[]
  /** By `machine/unit`. */
  readonly states: ReadonlyMap<string, UnitStateRecord>
}

type Reader = Pick<StoreAccess, 'range'>

/** Keys asked for at a time; answers are bounded in bytes as well. */
const pageKeys = 1000
/** A compaction may overtake a reading; twice in a row is no accident. */
const attemptsMax = 3

/** Everything under `range`, as of `at` or as of the first page. */
export async function readRange(
  store: Reader,
  range: { readonly key: string; readonly rangeEnd: string },
  options: {
    readonly consistency: Consistency
    readonly at?: Revision
    readonly keysOnly?: boolean
  },
): Promise<{ items: KeyValue[]; revision: Revision }> {
  const items: KeyValue[] = []
  let { at } = options
  let { consistency } = options
  let key = range.key
  for (;;) {
    const page = await store.range(
      {
        key,
        rangeEnd: range.rangeEnd,
        limit: pageKeys,
        ...(at === undefined ? {} : { revision: at }),
        ...(options.keysOnly === true ? { keysOnly: true } : {}),
      },
      consistency,
    )
    items.push(...page.items)
    at ??= page.revision
    consistency = 'local'
    const last = page.items.at(-1)
    if (!page.more || last === undefined) return { items, revision: at }
    key = `${last.key}\0`
  }
}

/** Rejects as `StoreAccess.range` does. */
export async function readCluster(
  store: Reader,
  consistency: Consistency = 'local',
): Promise<ClusterRecords> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readOnce(store, consistency)
    } catch (error) {
      if (!isJangadaError(error, 'JGD_COMPACTED') || attempt === attemptsMax) throw error
    }
  }
}

async function readOnce(store: Reader, consistency: Consistency): Promise<ClusterRecords> {
  const settingsKey = { key: keyspace.clusterSettings.key('cluster') }
  const first = await store.range(settingsKey, consistency)
  const at = first.revision
  const read = async <T>(kind: RecordKind<T, readonly string[]>): Promise<Stored<T>[]> => {
    const { items } = await readRange(store, kind.range, { consistency: 'local', at })
    return items.flatMap((item) => kind.read(item) ?? [])
  }
  const machines = await read<MachineRecord>(keyspace.machines)
  const members = await read<MemberRecord>(keyspace.members)
  const units = await read<UnitRecord>(keyspace.units)
  const placements = await read<PlacementRecord>(keyspace.placements)
  const states = await read<UnitStateRecord>(keyspace.states)
  const crashes = await read<CrashRecord>(keyspace.crashes)
  const leaving = await read<LeavingRecord>(keyspace.leaving)
  const volumes = await read<VolumeRecord>(keyspace.volumes)
  const [alarm] = await read<QuotaAlarmRecord>(keyspace.quotaAlarm)
  const [settings] = first.items
  return {
    revision: at,
    settings: settings && keyspace.clusterSettings.read(settings)?.value,
    machines: new Map(machines.map(({ value }) => [value.id, value])),
    members: members.map(({ value }) => value),
    units: new Map(units.map(({ value }) => [value.name, value])),
    placements,
    storeFull: alarm?.value,
    leaving: leaving.map(({ value }) => value),
    volumes: volumes.map(({ value }) => value),
    crashes: new Map(crashes.map(({ value }) => [value.unit, value])),
    states: new Map(states.map(({ value }) => [`${value.machine}/${value.unit}`, value])),
  }
}

/** The last `count` events, oldest first. */
export async function readEvents(
  store: Reader,
  count: number,
  at?: Revision,
): Promise<{ events: EventRecord[]; revision: Revision }> {
  const { range } = keyspace.events
  const keys = await readRange(store, range, {
    consistency: 'local',
    keysOnly: true,
    ...(at === undefined ? {} : { at }),
  })
  const first = keys.items.at(-count) ?? keys.items[0]
  if (first === undefined) return { events: [], revision: keys.revision }
  const { items } = await readRange(
    store,
    { key: first.key, rangeEnd: range.rangeEnd },
    { consistency: 'local', at: keys.revision },
  )
  const events = items.flatMap((item) => keyspace.events.read(item)?.value ?? [])
  return { events, revision: keys.revision }
}

/** What a node says of itself when no member answers it. */
export const cutOff: MemberView = {
  memberId: undefined,
  role: 'client',
  term: 0 as MemberView['term'],
  leader: undefined,
  staleForMs: 0,
  hasQuorum: false,
  revision: revision(0),
  voters: [],
  leaderMachine: undefined,
}
