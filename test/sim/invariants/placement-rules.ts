/**
 * No plan breaks a hard rule, at any revision: what it places, moves or takes away. And there always
 * is one that can be carried out.
 */
import {
  crashes as crashRecords,
  events,
  machines,
  placements,
  units,
} from '../../../src/core/records/keyspace.ts'
import { checkPlacements } from '../../../src/core/scheduler/check.ts'
import type { SchedulerUnit, Snapshot } from '../../../src/core/scheduler/types.ts'
import { snapshotOf as schedulerSnapshot } from '../../../src/node/controllers/snapshot.ts'
import { toSchedulerUnit } from '../../../src/node/controllers/unit-rules.ts'
import type { EventBatch } from '../../../src/core/store/types.ts'
import { type Committed, keyOf } from '../committed.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

const crashKey = (unit: string): string => crashRecords.key(unit)

/** Records of other kinds neither break a rule nor mend one. */
const kinds = [machines, units, placements]

const parsed = new Map<string, SchedulerUnit | undefined>()

/** Everything the scheduler would see now. */
export const snapshotOf = ({
  machines: all,
  units: known,
  placements: placed,
  crashes,
}: Committed): Snapshot =>
  schedulerSnapshot(
    {
      machines: all.values,
      units: known.values,
      placements: placed.values,
      // Pauses pass; who is parked waits for people.
      crashOf: (unit) => {
        const crash = crashes.items.get(crashKey(unit))?.value
        return crash?.parked === true ? crash : undefined
      },
      // What leaves is gone in the end.
      leaving: [],
      volumes: [],
    },
    (record) => {
      const key = `${record.name} ${record.hash} ${record.desired}`
      if (!parsed.has(key)) parsed.set(key, toSchedulerUnit(record))
      return parsed.get(key)
    },
    0,
  )

export function placementRules({ committed }: World): Invariant {
  const name = 'placement rules'
  /** What people's own changes of units and machines break is for the next plan to mend. */
  let broken = new Set<string>()
  const look = (): Set<string> =>
    new Set(checkPlacements(snapshotOf(committed)).map((each) => JSON.stringify(each)))
  return {
    name,
    revision: (batch) => {
      for (const event of batch.events) {
        const told = event.kind === 'put' ? events.read(event.item)?.value : undefined
        holds(told?.kind !== 'placement.stuck', name, told?.message ?? '')
      }
      const keys = batch.events.map(keyOf)
      if (!keys.some((key) => kinds.some(({ prefix }) => key.startsWith(prefix)))) return
      const touched = keys.filter((key) => key.startsWith(placements.prefix))
      const before = broken
      broken = look()
      if (touched.length === 0) return
      for (const each of broken) {
        holds(before.has(each), name, `revision ${batch.revision} breaks ${each}`)
      }
      for (const unit of placedBy(batch)) {
        const machine = committed.machines.items.get(`/jangada/machines/${unit.machine}`)?.value
        const text = `revision ${batch.revision} places ${unit.unit} on ${machine?.name ?? 'nobody'}, which is ${machine?.status ?? 'absent'}`
        holds(machine?.status === 'ready', name, text)
      }
    },
  }
}

function placedBy(batch: EventBatch): { unit: string; machine: string }[] {
  return batch.events.flatMap((event) => {
    const isNew = event.kind === 'put' && event.item.version === 1
    const stored = isNew ? placements.read(event.item) : undefined
    return stored === undefined ? [] : [stored.value]
  })
}
