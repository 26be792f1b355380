/** Labels that people give machines, those included that the cluster does not know yet. */
import type { MachineId } from '../../base/ids.ts'
import { labels, machines } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import { type LabelsRecord, type MachineRecord, withOverrides } from '../../core/records/schemas.ts'
import type { Compare, Operation } from '../../core/store/types.ts'
import { refuseCapacity } from '../../core/units/capacity.ts'
import { type Decision, putEvent, readAlso, readRecord, unchanged } from '../enrol/context.ts'
import { badRequest } from './check.ts'
import type { ApiContext } from './context.ts'
import { requireFeatureOf } from './feature-level.ts'

export const labelNameMax = 256
export const labelValueMax = 1024
/** Placement reads every label of every machine. */
const labelsMax = 64
/** Of one request; each takes three operations of the transaction. */
const machinesMax = 100
/** Machines that nobody has seen and that have labels all the same. */
const strangersMax = 1000

/** By name; null takes the label away. */
export type LabelChanges = Readonly<Record<string, string | null>>

export interface Labelled {
  readonly name: string
  readonly metadata: Readonly<Record<string, string>>
}

/** One transaction for all of them. Throws JGD_BAD_REQUEST when it would be too much. */
export async function decideLabels(
  context: ApiContext,
  changes: ReadonlyMap<MachineId, LabelChanges>,
): Promise<Decision<readonly Labelled[]>> {
  for (const changed of changes.values()) {
    for (const [label, text] of Object.entries(changed)) {
      const refusal = text === null ? undefined : refuseCapacity(label, text)
      if (refusal !== undefined) throw badRequest(refusal)
    }
  }
  if (changes.size > machinesMax) {
    throw badRequest(`at most ${machinesMax} machines can be labelled at once`)
  }
  const value: Labelled[] = []
  const compare: Compare[] = []
  const then: Operation[] = []
  for (const [id, changed] of changes) {
    const decided = await decideOne(context, id, changed)
    value.push(decided.value)
    compare.push(...decided.compare)
    then.push(...decided.then)
  }
  return { value, compare, then }
}

async function decideOne(
  context: ApiContext,
  id: MachineId,
  changes: LabelChanges,
): Promise<Decision<Labelled>> {
  const found = await readRecord(context.store, machines, id)
  if (found === undefined) return decideStranger(context, id, changes)
  const overrides = bounded({ ...found.value.overrides, ...changes })
  const metadata = withOverrides(found.value.metadata, changes)
  checkCount(metadata, overrides)
  const record: MachineRecord = { ...found.value, metadata, overrides }
  const message = `${record.name}: metadata ${Object.keys(changes).join(', ')} changed`
  return {
    value: { name: record.name, metadata },
    compare: [unchanged(found.key, found)],
    then: [
      machines.put(record, id),
      putEvent(context, { kind: 'machine.labelled', severity: 'info', message, machine: id }),
    ],
  }
}

/** They wait for the machine to register (`node/agent/register.ts`). */
async function decideStranger(
  context: ApiContext,
  id: MachineId,
  changes: LabelChanges,
): Promise<Decision<Labelled>> {
  const { store } = context
  await requireFeatureOf(store, 'labelsAhead')
  const found: Stored<LabelsRecord> | undefined = await readAlso(store, labels, id)
  if (found === undefined) {
    const all = { ...labels.range, limit: strangersMax, keysOnly: true }
    const { items } = await store.range(all, 'local')
    if (items.length === strangersMax) {
      throw badRequest(`${strangersMax} machines that nobody has seen are labelled already`)
    }
  }
  const overrides = bounded({ ...found?.value.overrides, ...changes })
  const metadata = withOverrides({}, overrides)
  checkCount(metadata, overrides)
  const record: LabelsRecord = { v: 1, machineId: id, overrides, setMs: context.clock.wallMs() }
  return {
    value: { name: id.slice(0, 8), metadata },
    compare: [
      unchanged(labels.key(id), found),
      // It may register meanwhile, and would not look at them again.
      unchanged(machines.key(id), undefined),
    ],
    then: [labels.put(record, id)],
  }
}

/** That a label was taken away is kept for the machine that says it of itself; the oldest are forgotten first. */
function bounded(overrides: LabelChanges): LabelChanges {
  const all = Object.entries(overrides)
  const gone = all.filter(([, text]) => text === null).map(([label]) => label)
  const forgotten = new Set(gone.slice(0, Math.max(0, all.length - labelsMax)))
  return Object.fromEntries(all.filter(([label]) => !forgotten.has(label)))
}

function checkCount(metadata: object, overrides: object): void {
  if (Math.max(Object.keys(metadata).length, Object.keys(overrides).length) > labelsMax) {
    throw badRequest(`a machine has at most ${labelsMax} labels`)
  }
}
