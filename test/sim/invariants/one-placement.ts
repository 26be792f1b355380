/**
 * A unit that is not global never has two placements, not even for one revision: but for one on a
 * machine that drains or is lost, or that people move away, which goes once the other runs.
 */
import { placements } from '../../../src/core/records/keyspace.ts'
import { keyOf } from '../committed.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'
import { snapshotOf } from './placement-rules.ts'

export function onePlacement({ committed }: World): Invariant {
  const name = 'one placement'
  return {
    name,
    revision: (batch) => {
      if (!batch.events.some((event) => keyOf(event).startsWith(placements.prefix))) return
      const { units, placements: placed, machines } = snapshotOf(committed)
      const leaving = new Set(
        machines.flatMap(({ id, drain, status }) =>
          drain === 'none' && status === 'ready' ? [] : [id],
        ),
      )
      for (const unit of units) {
        if (unit.rules.global) continue
        const all = placed.filter((placement) => placement.unit === unit.name)
        const places = all.filter(({ machine, moves }) => !leaving.has(machine) && moves !== true)
        const where = places.map(({ machine }) => machine.slice(-2)).join(' and ')
        holds(places.length <= 1, name, `${unit.name} is on ${where} at ${batch.revision}`)
      }
    },
  }
}
