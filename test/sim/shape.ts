/** What the cluster of a seed is made of: how many machines and voters, and how large its logs are. */
import type { SeededRandom } from '../../src/base/random.ts'
import type { MemberSizes } from '../../src/node/member/seat.ts'

export const machinesMax = 50

export type VoterTarget = 3 | 5 | 7
export const voterTargets: readonly VoterTarget[] = [3, 5, 7]

export interface Shape {
  readonly machines: number
  readonly voters: VoterTarget
  readonly memberSizes: MemberSizes
}

/** Most seeds are small, because small clusters are quick and fail the same way. */
const largeClusters = 0.03
const middleClusters = 0.12

/** By the seed. Snapshots and full segments come often, so that they meet every fault. */
export function shapeOf(random: SeededRandom): Shape {
  const machines = machinesOf(random)
  const possible = voterTargets.filter((target) => target <= machines)
  const wish = random.fraction()
  const voters = wish < 0.5 ? 3 : wish < 0.8 ? 5 : 7
  return {
    machines,
    voters: voters <= machines ? voters : (possible.at(-1) ?? 3),
    memberSizes: {
      entriesBetweenSnapshots: Math.round(20 * 60 ** random.fraction()),
      segmentBytes: 2 ** random.integer(13, 18),
    },
  }
}

function machinesOf(random: SeededRandom): number {
  const size = random.fraction()
  if (size < largeClusters) return random.integer(13, machinesMax)
  if (size < largeClusters + middleClusters) return random.integer(8, 12)
  return random.integer(3, 7)
}
