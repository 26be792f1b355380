/** What the seat of a machine has whose one member is the whole cluster, and speaks to nobody. */
import type { SeatOptions } from '../../src/node/member/seat.ts'

export const lone = {
  door: () => {
    throw new Error('a lone member speaks to nobody')
  },
  knownMembers: () => [],
  keeper: () => undefined,
  onLeadership: () => undefined,
  onCommand: () => undefined,
} satisfies Partial<SeatOptions>
