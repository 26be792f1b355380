/**
 * When everything is healed and quiet, a unit that is not global runs once in the whole cluster,
 * and once on each machine if it is: a cut may have left two, and only one of them stays.
 */
import { readLabels } from '../../../src/core/reconcile/labels.ts'
import type { World } from '../world.ts'
import { holds, type Invariant } from './invariant.ts'
import { snapshotOf } from './placement-rules.ts'

export function oneCopy({ committed, machines }: World): Invariant {
  const name = 'one copy'
  return {
    name,
    atEnd: () => {
      const copies = machines.flatMap((machine) =>
        machine.engine.running.flatMap(({ labels }) => {
          const unit = readLabels(labels)?.unit
          return unit === undefined ? [] : [{ unit, machine: machine.name }]
        }),
      )
      for (const { name: unit, rules } of snapshotOf(committed).units) {
        const where = copies.filter((copy) => copy.unit === unit).map((copy) => copy.machine)
        const atMost = rules.global ? new Set(where).size : 1
        holds(where.length <= atMost, name, `${unit} runs on ${where.join(' and ')}`)
      }
    },
  }
}
