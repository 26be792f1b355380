/** Small clusters for the scheduler: machines of 4 GiB and two processors, called by a number. */
import t from 'tap'
import { type MachineId, machineId, unitName } from '../../../src/base/ids.ts'
import { atOnce } from '../../../src/base/parts.ts'
import { afterPlan, checkPlacements, checkPlan } from '../../../src/core/scheduler/check.ts'
import { plan } from '../../../src/core/scheduler/plan.ts'
import { type Move, rebalanceInParts } from '../../../src/core/scheduler/rebalance.ts'
import { noNeeds } from '../../../src/core/scheduler/room.ts'
import type { Needs } from '../../../src/base/room.ts'
import type {
  SchedulerMachine,
  SchedulerRules,
  SchedulerUnit,
  Snapshot,
} from '../../../src/core/scheduler/types.ts'
import { Explainer, type MachineReason } from '../../../src/core/scheduler/why.ts'

export const gib = 2 ** 30
export const id = (n: number) => machineId(n.toString(16).padStart(32, '0'))
const free: SchedulerRules = {
  machineId: undefined,
  global: false,
  machineOf: [],
  conflicts: [],
  replaces: [],
  metadata: {},
  spread: [],
  prefer: [],
  strategy: 'spread',
  priority: 50,
  fencing: 'keep',
  fencingGraceMs: 0,
  minAvailable: 0,
}
export const machine = (
  n: number,
  metadata = {},
  status: 'ready' | 'lost' = 'ready',
  drain: SchedulerMachine['drain'] = 'none',
): SchedulerMachine => ({
  id: id(n),
  metadata,
  status,
  drain,
  capacity: { memoryBytes: 4 * gib, nanoCpus: 2e9 },
})
export const unit = (
  name: string,
  rules: Partial<SchedulerRules> = {},
  wanted = true,
  needs: Partial<Needs> = {},
): SchedulerUnit => ({
  name: unitName(name),
  wanted,
  rules: { ...free, ...rules },
  needs: { ...noNeeds, ...needs },
})
export const three = [machine(1), machine(2), machine(3)]

/**
 * Plans, checks, and gives `unit -> machine numbers` as they will be, and the cluster once all that was
 * taken off its machines is gone from there.
 */
export function settle(snapshot: Snapshot): { where: Record<string, number[]>; after: Snapshot } {
  const { decisions } = plan(snapshot)
  t.same(checkPlan(snapshot, decisions), [], 'every prefix of the plan keeps the rules')
  const after = afterPlan(snapshot, decisions)
  t.same(checkPlacements(after), [], 'what it leaves keeps the rules')
  const where: Record<string, number[]> = {}
  for (const placement of after.placements) {
    const places = (where[placement.unit] ??= [])
    places.push(Number.parseInt(placement.machine, 16))
    places.sort((a, b) => a - b)
  }
  return { where, after: { ...after, leaving: [] } }
}

/** As `jangada why` has it, at once. */
export const whyUnit = (
  snapshot: Snapshot,
  of: SchedulerUnit,
  nameOf?: (machine: MachineId) => string,
): MachineReason[] => atOnce(Explainer.inParts(snapshot)).why(of, nameOf)

/** As `jangada rebalance` has it, at once. */
export const rebalance = (snapshot: Snapshot, max: number): Move[] =>
  atOnce(rebalanceInParts(snapshot, max))
