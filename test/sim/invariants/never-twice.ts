/**
 * A unit with `Fencing=stop` never runs on two machines, nor twice on one, whatever becomes of
 * machines, networks, agents and engines. Looked at whenever a container has started somewhere.
 */
import { readLabels } from '../../../src/core/reconcile/labels.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'

export function neverTwice({ machines }: World): Invariant {
  const name = 'never twice'
  let seen = 0
  return {
    name,
    always: () => {
      const starts = machines.reduce((sum, { engine }) => sum + engine.starts, 0)
      if (starts === seen) return
      seen = starts
      const where = new Map<string, string>()
      for (const machine of machines) {
        for (const { labels, id } of machine.engine.running) {
          const owner = readLabels(labels)
          if (owner?.fenceGraceMs === undefined) continue
          const here = `${machine.name} (${id.slice(0, 6)}, generation ${owner.generation})`
          const other = where.get(owner.unit)
          holds(other === undefined, name, `${owner.unit} runs on ${other} and on ${here}`)
          where.set(owner.unit, here)
        }
      }
    },
  }
}
