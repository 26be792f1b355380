/** Plans in words, for people. */
import { assertNever } from '../../base/assert.ts'
import type { MachineId } from '../../base/ids.ts'
import { describeObstacle } from './rules.ts'
import type { ObstacleCounts, ObstacleKind, UnplaceReason } from './types.ts'

/** `nameOf`: what people call a machine. */
export function describeUnplace(
  reason: UnplaceReason,
  nameOf?: (machine: MachineId) => string,
): string {
  switch (reason.kind) {
    case 'notWanted':
      return 'it is not to run'
    case 'machineGone':
      return 'its machine is no machine of the cluster any more'
    case 'stopped':
      return 'it has stopped there'
    case 'duplicate':
      return 'it is on another machine as well'
    case 'obstacle':
      return describeObstacle(reason.obstacle, nameOf)
    case 'drained':
      return 'its machine drains'
    case 'moved':
      return 'it moves, and runs elsewhere'
    case 'preempted':
      return `${reason.by} has a higher priority and needs its room`
    default:
      return assertNever(reason)
  }
}

const words: Readonly<Record<ObstacleKind, string>> = {
  machineLost: 'lost',
  draining: 'drain',
  noFencer: 'Fencing',
  oldCopy: 'its old copy',
  otherMachine: 'MachineID',
  metadata: 'MachineMetadata',
  peerElsewhere: 'MachineOf',
  conflict: 'Conflicts',
  replaced: 'Replaces',
  crashPause: 'its crash loop',
  parked: 'its crash loop',
  braked: 'the storm brake',
  volume: 'a volume',
  port: 'a port',
  memoryBytes: 'memory',
  nanoCpus: 'processors',
}

/** `refused 2 by Conflicts, 1 by memory`: machines, by what stands against them. */
export function describeCounts(counts: ObstacleCounts): string {
  const parts = Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} by ${words[kind as ObstacleKind]}`)
  return parts.length === 0 ? 'there is no machine' : `refused ${parts.join(', ')}`
}
