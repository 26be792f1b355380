/**
 * Every member applies the same changes at the same revision, and what was applied never changes
 * (log matching and state-machine safety, seen from the store).
 */
import { keyOf } from '../committed.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

export function stateMachineSafety({ committed }: World): Invariant {
  const name = 'state-machine safety'
  return {
    name,
    member: (machine, { member }) => {
      const diverged = committed.compare(member.store)
      if (diverged === undefined) return
      const { revision, known, told } = diverged
      const keys = (events: typeof known.events): string => events.map(keyOf).join(', ')
      holds(
        false,
        name,
        `revision ${revision} is [${keys(known.events)}] and, on ${machine.name}, [${keys(told.events)}]`,
      )
    },
  }
}
