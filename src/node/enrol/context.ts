/** What every function of this room works with, and the small steps they share. */
import { toHex } from '../../base/bytes.ts'
import { isJangadaError, JangadaError } from '../../base/errors.ts'
import type { ClusterId, MachineId, Revision } from '../../base/ids.ts'
import { clusterSettings, eventKey, events } from '../../core/records/keyspace.ts'
import type { RecordKind, Stored } from '../../core/records/record.ts'
import type { EventRecord } from '../../core/records/schemas.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Crypto } from '../../ports/crypto.ts'
import type { Entropy } from '../../ports/entropy.ts'
import type { Consistency, StoreAccess } from '../member/store-access.ts'
import type { RefusalLog } from './refusals.ts'
import type { SecretHolder } from './secrets.ts'

/** The part of the store that this room uses. */
export type EnrolStore = Pick<StoreAccess, 'range' | 'transact'>

export interface EnrolContext {
  readonly clusterId: ClusterId
  /** This machine. */
  readonly machineId: MachineId
  readonly store: EnrolStore
  readonly crypto: Crypto
  readonly clock: Clock
  readonly entropy: Entropy
  readonly secrets: SecretHolder
  readonly refusals: RefusalLog
}

/** Another writer may win this often before the caller is asked to try again. */
const attemptsMax = 5

/** One record, or undefined when there is none that can be read. Linearizable. */
export const readRecord = <T, Parts extends readonly string[]>(
  store: EnrolStore,
  kind: RecordKind<T, Parts>,
  ...parts: Parts
): Promise<Stored<T> | undefined> => readOne(store, 'linearizable', kind, parts)

/**
 * As `readRecord`, in a decision that has read before: what is here is as new as that, and asking the
 * leader once more would cost another round.
 */
export const readAlso = <T, Parts extends readonly string[]>(
  store: EnrolStore,
  kind: RecordKind<T, Parts>,
  ...parts: Parts
): Promise<Stored<T> | undefined> => readOne(store, 'local', kind, parts)

async function readOne<T, Parts extends readonly string[]>(
  store: EnrolStore,
  consistency: Consistency,
  kind: RecordKind<T, Parts>,
  parts: Parts,
): Promise<Stored<T> | undefined> {
  const { items } = await store.range({ key: kind.key(...parts) }, consistency)
  return items[0] === undefined ? undefined : kind.read(items[0])
}

/** The guard that nobody has written `key` since it was read; absent counts as revision 0. */
export const unchanged = (key: string, seen: Stored<unknown> | undefined): Compare => ({
  target: 'modRevision',
  key,
  is: '=',
  to: seen?.modRevision ?? 0,
})

export interface Decision<T> {
  readonly compare: readonly Compare[]
  /** None: nothing to write. */
  readonly then: readonly Operation[]
  readonly value: T
}

/**
 * Reads, decides and writes, from the start again when someone else wrote in between. `decide`
 * throws to refuse. Rejects with JGD_OVERLOADED after `attemptsMax` lost races.
 */
export const decideAndCommit = async <T>(
  store: EnrolStore,
  decide: () => Promise<Decision<T>>,
): Promise<T> => (await commitDecision(store, decide)).value

/**
 * As `decideAndCommit`, and seen here before it resolves: who asks this node next, and reads what it
 * has itself, finds what he wrote. A member that follows hears of a commit up to a heartbeat
 * after the leader has answered for it.
 */
export async function decideAndSee<T>(
  store: EnrolStore & Pick<StoreAccess, 'view'>,
  decide: () => Promise<Decision<T>>,
): Promise<T> {
  const { value, revision } = await commitDecision(store, decide)
  if (revision !== undefined) await catchUp(store, revision)
  return value
}

/** It is written, whatever becomes of this. */
async function catchUp(store: EnrolStore & Pick<StoreAccess, 'view'>, to: Revision): Promise<void> {
  try {
    if ((await store.view()).revision >= to) return
    await store.range({ key: clusterSettings.key('cluster') }, 'linearizable')
  } catch (error) {
    if (!isJangadaError(error)) throw error
  }
}

/** Without `revision` when there was nothing to write. */
async function commitDecision<T>(
  store: EnrolStore,
  decide: () => Promise<Decision<T>>,
): Promise<{ readonly value: T; readonly revision?: Revision }> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const { compare, then, value } = await decide()
    if (then.length === 0) return { value }
    const { succeeded, revision } = await store.transact({ compare, then, otherwise: [] })
    if (succeeded) return { value, revision }
  }
  throw new JangadaError('JGD_OVERLOADED', 'the records changed under every attempt', {
    hint: 'try again in a moment',
  })
}

export function putEvent(
  deps: { readonly clock: Clock; readonly entropy: Entropy },
  event: Pick<EventRecord, 'kind' | 'severity' | 'message'> & Partial<EventRecord>,
): Operation {
  const atMs = deps.clock.wallMs()
  const random = toHex(deps.entropy.bytes(6))
  const record: EventRecord = { v: 1, code: '', machine: '', unit: '', atMs, ...event }
  return events.put(record, eventKey(atMs, random))
}
