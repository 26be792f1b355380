/** What agents say of placements, where the next plan hangs on it. */
import { generationOf, states } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type { PlacementRecord, UnitStateRecord } from '../../core/records/schemas.ts'
import type { Snapshot } from '../../core/scheduler/types.ts'
import type { Stretches } from '../../ports/stretches.ts'
import type { StoreAccess } from '../member/store-access.ts'
import { placeOf } from './places.ts'

export interface Asked {
  /** As it was when its agent was asked: once it is to stop, what was said before says nothing. */
  readonly stored: Stored<PlacementRecord>
  /** It does its work by now; or it has stopped, if it was told to. */
  readonly runs: boolean
  /** Its agent has the content that the placement says. */
  readonly isHeard: boolean
}

export async function saidOf(
  asked: readonly Stored<PlacementRecord>[],
  store: Pick<StoreAccess, 'range'>,
  stretches: Stretches,
): Promise<readonly Asked[]> {
  const said: Asked[] = []
  for (const stored of asked) {
    const state = await stateOf(store, stored)
    const isHeard = state?.hash === stored.value.hash
    said.push({ stored, runs: runs(stored.value, state), isHeard })
    if (stretches.isOver) await stretches.rest()
  }
  return said
}

/** The snapshot, where nobody was asked, with what was said. */
export function withWords(snapshot: Snapshot, said: readonly Asked[]): Snapshot {
  const words = new Map(said.map(({ stored, runs: word }) => [placeOf(stored.value), word]))
  const placements = snapshot.placements.map((each) => {
    const isRunning = words.get(placeOf(each))
    if (isRunning === undefined) return each
    if (each.fence?.isLeaving !== true) return { ...each, runs: isRunning }
    return isRunning ? { ...each, fence: { isLeaving: true, isOver: true } } : each
  })
  return { ...snapshot, placements }
}

/** What the agent has said of this placement, and of none before it. */
async function stateOf(
  store: Pick<StoreAccess, 'range'>,
  placement: Stored<PlacementRecord>,
): Promise<UnitStateRecord | undefined> {
  const { machine, unit } = placement.value
  const { items } = await store.range({ key: states.key(machine, unit) }, 'local')
  const state = items[0] === undefined ? undefined : states.read(items[0])?.value
  return state?.generation === generationOf(placement) ? state : undefined
}

/** It runs, it has done what it had to, or it is only to be loaded. */
function runs({ desired, fence }: PlacementRecord, state: UnitStateRecord | undefined): boolean {
  if (fence?.leaving === true) return state?.released === true
  if (desired === 'loaded') return true
  if (state === undefined) return false
  return state.active === 'active' || (state.active === 'inactive' && state.containerId !== '')
}
