/**
 * No healthy container is stopped for doubt: an agent ends a running container only if, at some
 * revision since that container's placement, its unit was not wanted there as it runs. Units that ask
 * for `Fencing=stop` are stopped for doubt, and for no less of it than that.
 */
import { readLabels } from '../../../src/core/reconcile/labels.ts'
import { deadlines } from '../../../src/core/liveness/deadlines.ts'
import { placements } from '../../../src/core/records/keyspace.ts'
import type { World } from '../world.ts'
import type { SimulatedMachine } from '../machine.ts'
import { holds, type Invariant } from './invariant.ts'

export function healthyWork({ committed }: World): Invariant {
  const name = 'healthy work'
  return {
    name,
    containerStopped: ({ machine, container, beside }) => {
      const owner = readLabels(container.labels)
      if (owner === undefined) return
      if (owner.fenceGraceMs !== undefined && isFenced(machine, container.id)) return
      // Of two that do the same work one goes, and it is the agent that says which.
      const twin = beside
        .map((each) => readLabels(each.labels))
        .some((other) => other?.unit === owner.unit && other.hash === owner.hash)
      if (twin) return
      const key = placements.key(machine.id, owner.unit)
      const now = committed.placements.items.get(key)
      const stood =
        now?.value.desired === 'launched' &&
        now.value.hash === owner.hash &&
        now.createRevision <= owner.generation &&
        // Nobody has asked for anything else meanwhile.
        committed.versionsSince(key, owner.generation).every((item) => {
          const record = item === undefined ? undefined : placements.read(item)?.value
          return record?.desired === 'launched' && record.hash === owner.hash
        })
      const text = `${machine.name} stops ${owner.unit} (generation ${owner.generation}), which is placed there all along`
      holds(!stood, name, text)
    },
  }
}

/** Its fencer has condemned it, or the agent sees that it is about to. */
function isFenced({ process, fencer }: SimulatedMachine, id: string): boolean {
  const sentMs = process?.agent?.acknowledgedMs
  const ageMs = sentMs === undefined ? Infinity : (process?.clock.monotonicMs() ?? 0) - sentMs
  return fencer.condemned.has(id) || ageMs >= deadlines(1).fenceMs
}
