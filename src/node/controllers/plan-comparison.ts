/** In simulations, the planner that is kept is held to what one from nothing makes of the same cluster. */
import { assert } from '../../base/assert.ts'
import { violationsOf } from '../../core/scheduler/check.ts'
import { plan } from '../../core/scheduler/plan.ts'
import type { Plan, Snapshot } from '../../core/scheduler/types.ts'

/** Fails, too, when a plan breaks a rule where it touches nothing. */
export function assertSamePlan(snapshot: Snapshot, kept: Plan): void {
  const made = textOf(plan(snapshot))
  assert(textOf(kept) === made, `the plan of what is kept, ${textOf(kept)}, is ${made}`)
  const [violation] = violationsOf(snapshot, kept.decisions)
  assert(violation === undefined, `a plan keeps the rules: ${JSON.stringify(violation)}`)
}

const textOf = ({ decisions, unplaced }: Plan): string =>
  JSON.stringify([decisions, [...unplaced].toSorted(([a], [b]) => (a < b ? -1 : 1))])
