/** What a look at the engine teaches about one unit: the memory after it. */
import type { UnitName } from '../../base/ids.ts'
import type { Ownership } from './labels.ts'
import { failed, restartDelayMs, steadyRunMs } from './restart.ts'
import type {
  DesiredUnit,
  ObservedContainer,
  StartFailure,
  UnitEnd,
  UnitMemory,
  UnitRules,
  Work,
} from './types.ts'

/** A container with what its labels say. */
export interface OwnedContainer extends ObservedContainer {
  readonly owner: Ownership
}

export interface UnitView {
  readonly name: UnitName
  readonly desired: DesiredUnit | undefined
  readonly containers: readonly OwnedContainer[]
  readonly work: Work | undefined
  readonly memory: UnitMemory | undefined
  /** The container that does the unit's work. */
  readonly keeper: OwnedContainer | undefined
}

export const runs = ({ state }: ObservedContainer): boolean =>
  state === 'running' || state === 'paused' || state === 'restarting'

/**
 * The container to keep: it runs, and it is of the wanted hash. Its generation may be older, or
 * newer, than the placement's: healthy work is never stopped for its number. Of several the
 * newest is kept, so that two agents in a row choose the same.
 */
export function chooseKeeper(
  desired: DesiredUnit | undefined,
  containers: readonly OwnedContainer[],
  memory: UnitMemory | undefined,
): OwnedContainer | undefined {
  if (desired?.desired !== 'launched') return undefined
  return containers
    .filter((each) => runs(each) && each.owner.hash === desired.hash)
    .filter(({ id }) => memory?.condemned.includes(id) !== true)
    .toSorted((a, b) => b.owner.generation - a.owner.generation || (a.id < b.id ? -1 : 1))[0]
}

/** Undefined when nothing needs to be remembered: neither placed here nor with a container. */
export function remember(
  view: Omit<UnitView, 'keeper'>,
  bootId: string,
  nowMs: number,
): UnitMemory | undefined {
  const { desired, containers, work } = view
  const ids = new Set(containers.map(({ id }) => id))
  const highest = Math.max(
    view.memory?.highestGeneration ?? 0,
    desired?.generation ?? 0,
    ...containers.map(({ owner }) => owner.generation),
  ) as UnitMemory['generation']
  if (desired === undefined) {
    if (view.memory === undefined || containers.length + (work === undefined ? 0 : 1) === 0) {
      return undefined
    }
    return { ...view.memory, highestGeneration: highest }
  }
  const before = carryOver(view.memory, desired)
  const known: UnitMemory = {
    ...before,
    highestGeneration: highest,
    condemned: before.condemned.filter((id) => ids.has(id)),
  }
  const keeper = chooseKeeper(desired, containers, known)
  if (keeper !== undefined) return withKeeper(known, keeper, nowMs)
  // What happens during our own work is its doing, and told by its outcome.
  return work === undefined ? withEnd(known, desired, containers, bootId, nowMs) : known
}

/** Another generation or hash is another story; the same work under a new number goes on. */
function carryOver(memory: UnitMemory | undefined, desired: DesiredUnit): UnitMemory {
  const { generation, hash } = desired
  const anew = { ...fresh(desired), condemned: memory?.condemned ?? [] }
  if (memory === undefined || memory.hash !== hash || desired.desired === 'loaded') return anew
  if (memory.generation === generation) return memory
  return { ...anew, running: memory.running, restarts: memory.restarts }
}

/** Of a unit that nothing is known of yet. */
export function fresh({ generation, hash }: DesiredUnit): UnitMemory {
  return {
    generation,
    hash,
    highestGeneration: generation,
    restarts: 0,
    quickEnds: 0,
    failures: 0,
    running: undefined,
    end: undefined,
    fetch: 'unknown',
    condemned: [],
  }
}

function withKeeper(memory: UnitMemory, keeper: OwnedContainer, nowMs: number): UnitMemory {
  const same = memory.running?.containerId === keeper.id
  return {
    ...memory,
    running: same ? memory.running : { containerId: keeper.id, sinceMs: nowMs },
    end: undefined,
    restarts: Math.max(memory.restarts, keeper.owner.restarts),
  }
}

function withEnd(
  memory: UnitMemory,
  desired: DesiredUnit,
  containers: readonly OwnedContainer[],
  bootId: string,
  nowMs: number,
): UnitMemory {
  const seen = memory.running?.containerId
  const ended = containers
    .filter(
      ({ state, id }) => (state === 'exited' || state === 'dead') && !memory.condemned.includes(id),
    )
    // A run that a restart of the machine ended says nothing about the unit, and one of an
    // earlier placement nothing about this one, unless it was seen running under this one.
    .filter(({ id, owner }) => {
      const ofThisPlacement = owner.generation === desired.generation || id === seen
      return owner.bootId === bootId && owner.hash === desired.hash && ofThisPlacement
    })
    .toSorted((a, b) => (b.finishedAtMs ?? 0) - (a.finishedAtMs ?? 0))[0]
  const known = memory.end?.how
  if (ended !== undefined) {
    if (known?.kind === 'exited' && known.containerId === ended.id) return memory
    const how: UnitEnd = {
      kind: 'exited',
      containerId: ended.id,
      exitCode: ended.exitCode ?? 0,
    }
    const counted = { ...memory, restarts: Math.max(memory.restarts, ended.owner.restarts) }
    return noteEnd(counted, { how, ranMs: runLengthMs(ended, memory, nowMs) }, desired, nowMs)
  }
  if (seen === undefined || containers.some(({ id }) => id === seen)) return memory
  const how: UnitEnd = { kind: 'vanished', containerId: seen }
  return noteEnd(memory, { how, ranMs: runLengthMs(undefined, memory, nowMs) }, desired, nowMs)
}

function runLengthMs(ended: OwnedContainer | undefined, memory: UnitMemory, nowMs: number): number {
  if (ended?.startedAtMs !== undefined && ended.finishedAtMs !== undefined) {
    return ended.finishedAtMs - ended.startedAtMs
  }
  return memory.running === undefined ? 0 : nowMs - memory.running.sinceMs
}

interface Ended {
  readonly how: UnitEnd
  /** How long the run was; 0 for a start that failed. */
  readonly ranMs: number
}

/** The memory after an end. */
function noteEnd(
  memory: UnitMemory,
  { how, ranMs }: Ended,
  { plan }: Pick<DesiredUnit, 'plan'>,
  nowMs: number,
): UnitMemory {
  return {
    ...memory,
    running: undefined,
    end: { how, atMs: nowMs },
    quickEnds: ranMs < steadyRunMs ? memory.quickEnds + 1 : 1,
    failures: plan.kind === 'ready' ? failuresAfter(memory.failures, how, ranMs, plan.rules) : 0,
  }
}

function failuresAfter(before: number, how: UnitEnd, ranMs: number, rules: UnitRules): number {
  if (!failed(how, rules.ignoreFailure)) return 0
  return ranMs < rules.startLimit.steadyMs ? before + 1 : 1
}

/** The memory after a start that left alone what it was to clear away: those run. */
export const spare = (memory: UnitMemory, ids: readonly string[]): UnitMemory => ({
  ...memory,
  condemned: memory.condemned.filter((id) => !ids.includes(id)),
})

/** The memory after a fetch; `message`: why it came to nothing. */
export function noteFetched(
  memory: UnitMemory,
  message: string | undefined,
  nowMs: number,
): UnitMemory {
  if (message === undefined) return { ...memory, fetch: 'done' }
  const tries = typeof memory.fetch === 'string' ? 1 : memory.fetch.tries + 1
  return { ...memory, fetch: { message, tries, atMs: nowMs } }
}

/** The memory after a start that came to nothing. */
export function noteStartFailed(
  memory: UnitMemory,
  failure: StartFailure,
  desired: Pick<DesiredUnit, 'plan'>,
  nowMs: number,
): UnitMemory {
  return noteEnd(memory, { how: { ...failure, kind: 'start-failed' }, ranMs: 0 }, desired, nowMs)
}

/** When an ended unit may start again, on the clock of `nowMs`. */
export const restartAtMs = (memory: UnitMemory, rules: UnitRules): number =>
  (memory.end?.atMs ?? 0) + restartDelayMs(rules, memory.quickEnds)
