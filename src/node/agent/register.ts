/** Writes this machine's record: when the agent starts, and whenever the leader asks for it. */
import type { MachineId } from '../../base/ids.ts'
import { admissions, labels, machines } from '../../core/records/keyspace.ts'
import { type MachineRecord, withOverrides } from '../../core/records/schemas.ts'
import type { Compare, KeyValue, Operation } from '../../core/store/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Entropy } from '../../ports/entropy.ts'
import { putEvent } from '../controllers/context.ts'
import type { StoreAccess } from '../member/store-access.ts'

/** What a machine says of itself. The ceiling of its role is not its own to say. */
export type MachineFacts = Omit<
  MachineRecord,
  'v' | 'id' | 'status' | 'statusSinceMs' | 'roleCeiling' | 'overrides' | 'drain'
>

export interface RegisterContext {
  readonly machineId: MachineId
  readonly store: Pick<StoreAccess, 'range' | 'transact'>
  readonly clock: Clock
  readonly entropy: Entropy
}

/** `left`: people have taken it out, and only a new admission, with a new key, brings it back. */
export type Registration = 'written' | 'unchanged' | 'raced' | 'left'

/**
 * One attempt: reads the record and the admission, and writes the record as ready if it says
 * anything else. `raced` when somebody wrote it in between: try again. Rejects as the store does.
 */
export async function register(
  context: RegisterContext,
  facts: MachineFacts,
): Promise<Registration> {
  const { machineId, store, clock } = context
  const [found, admitted, waiting] = await Promise.all([
    store.range({ key: machines.key(machineId) }, 'linearizable'),
    store.range({ key: admissions.key(machineId) }, 'linearizable'),
    store.range({ key: labels.key(machineId) }, 'linearizable'),
  ])
  const item = found.items[0]
  const before = item === undefined ? undefined : machines.read(item)?.value
  const admission = admitted.items[0] === undefined ? undefined : admissions.read(admitted.items[0])
  const hasNewKey = admission !== undefined && admission.value.keyHash !== before?.keyHash
  if (before?.status === 'left' && !hasNewKey) return 'left'
  const returns = before?.status !== 'ready' || before.bootId !== facts.bootId
  const labelled = waiting.items[0] === undefined ? undefined : labels.read(waiting.items[0])
  const overrides = before === undefined ? labelled?.value.overrides : before.overrides
  const record: MachineRecord = {
    ...facts,
    ...(overrides === undefined
      ? {}
      : { overrides, metadata: withOverrides(facts.metadata, overrides) }),
    ...(before?.drain === undefined ? {} : { drain: before.drain }),
    v: 1,
    id: machineId,
    status: 'ready',
    statusSinceMs: returns ? clock.wallMs() : before.statusSinceMs,
    roleCeiling: admission?.value.roleCeiling ?? 'client',
  }
  if (before !== undefined && sameRecord(before, record)) return 'unchanged'
  const then: Operation[] = [machines.put(record, machineId)]
  if (labelled !== undefined) then.push({ kind: 'delete', key: labelled.key })
  if (returns) {
    const message = `${facts.name} (${machineId.slice(0, 8)}) is ready at ${facts.address}`
    const event = { kind: 'machine.ready', severity: 'info', message, machine: machineId } as const
    then.push(putEvent(context, event))
  }
  const result = await store.transact({
    compare: [
      unchanged(machines.key(machineId), item),
      unchanged(labels.key(machineId), waiting.items[0]),
    ],
    then,
    otherwise: [],
  })
  return result.succeeded ? 'written' : 'raced'
}

const unchanged = (key: string, seen: KeyValue | undefined): Compare => ({
  target: 'modRevision',
  key,
  is: '=',
  to: seen?.modRevision ?? 0,
})

function sameRecord(a: MachineRecord, b: MachineRecord): boolean {
  const text = (record: MachineRecord): string =>
    JSON.stringify(record, (_key, value: unknown) =>
      typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).toSorted(([x], [y]) => (x < y ? -1 : 1)))
        : value,
    )
  return text(a) === text(b)
}
