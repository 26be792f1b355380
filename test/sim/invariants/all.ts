/** Every invariant that needs nothing but the world; the others judge what clients are told. */
import { committedEntries } from './committed-entries.ts'
import { convergence } from './convergence.ts'
import { electionSafety } from './election-safety.ts'
import { healthyWork } from './healthy-work.ts'
import type { MakeInvariant } from './invariant.ts'
import { leaderCompleteness } from './leader-completeness.ts'
import { logMatching } from './log-matching.ts'
import { memberIds } from './member-ids.ts'
import { monotonic } from './monotonic.ts'
import { neverTwice } from './never-twice.ts'
import { oneCopy } from './one-copy.ts'
import { onePlacement } from './one-placement.ts'
import { placementRules } from './placement-rules.ts'
import { stateMachineSafety } from './state-machine-safety.ts'
import { stateOrdering } from './state-ordering.ts'

/** State-machine safety comes first: it is what the others learn the committed history from. */
export const worldInvariants: readonly MakeInvariant[] = [
  stateMachineSafety,
  electionSafety,
  monotonic,
  stateOrdering,
  logMatching,
  committedEntries,
  memberIds,
  leaderCompleteness,
  convergence,
  placementRules,
  onePlacement,
  healthyWork,
  oneCopy,
  neverTwice,
]
