/**
 * Desired units against observed containers: what to do, and how each unit stands. Pure; the
 * agent carries the actions out and looks again.
 *
 * Healthy work is stopped for four reasons only: its unit is not placed here, is to be loaded
 * only, has another hash, or is bound to a unit that ended. The caller has made sure that the
 * placements are at least as new as any it has seen.
 */
import type { UnitName } from '../../base/ids.ts'
import * as conditions from './conditions.ts'
import { brokenBond, type Neighbours, reasonToWait, type Standing } from './dependencies.ts'
import { readLabels } from './labels.ts'
import {
  chooseKeeper,
  fresh,
  type OwnedContainer,
  remember,
  restartAtMs,
  runs,
  type UnitView,
} from './memory.ts'
import { restartDelayMs, restarts } from './restart.ts'
import type {
  Action,
  Cleared,
  DesiredUnit,
  ReconcileInput,
  ReconcileResult,
  UnitCondition,
  UnitMemory,
  UnitRules,
} from './types.ts'

interface Decision {
  readonly condition: UnitCondition | undefined
  readonly action?: Action
  readonly lookAtMs?: number
}

export function reconcile(input: ReconcileInput): ReconcileResult {
  if (input.containers === undefined) return whileEngineIsDown(input)
  const { owned, foreign } = sortContainers(input.containers, input.clusterId)
  const views = makeViews(input, owned)
  const neighbours = readNeighbours(views, input.nowMs)
  const actions: Action[] = []
  const memory = new Map<UnitName, UnitMemory>()
  const told = new Map<UnitName, UnitCondition>()
  let nextLookMs: number | undefined
  for (const view of views) {
    const { condition, action, lookAtMs } = decide(view, neighbours, input.nowMs)
    if (action !== undefined) actions.push(action)
    if (condition !== undefined) told.set(view.name, condition)
    if (view.memory !== undefined) memory.set(view.name, afterAction(view.memory, action))
    if (lookAtMs !== undefined) nextLookMs = Math.min(nextLookMs ?? Infinity, lookAtMs)
  }
  return { actions, memory, conditions: told, foreign, nextLookMs }
}

/** No deaths are declared, nothing is started or stopped, and nothing is forgotten. */
function whileEngineIsDown(input: ReconcileInput): ReconcileResult {
  const told = new Map<UnitName, UnitCondition>()
  for (const { name, plan } of input.desired) {
    if (plan.kind !== 'reading') told.set(name, conditions.unknown(input.memory.get(name)))
  }
  return {
    actions: [],
    memory: input.memory,
    conditions: told,
    foreign: [],
    nextLookMs: undefined,
  }
}

function sortContainers(
  containers: NonNullable<ReconcileInput['containers']>,
  clusterId: string,
): { owned: ReadonlyMap<UnitName, OwnedContainer[]>; foreign: string[] } {
  const owned = new Map<UnitName, OwnedContainer[]>()
  const foreign: string[] = []
  for (const container of containers) {
    const owner = readLabels(container.labels)
    if (owner?.clusterId !== clusterId) {
      foreign.push(container.id)
      continue
    }
    const ofUnit = owned.get(owner.unit) ?? []
    ofUnit.push({ ...container, owner })
    owned.set(owner.unit, ofUnit)
  }
  return { owned, foreign }
}

function makeViews(
  input: ReconcileInput,
  owned: ReadonlyMap<UnitName, readonly OwnedContainer[]>,
): UnitView[] {
  const desired = new Map(input.desired.map((unit) => [unit.name, unit]))
  const names = new Set([...desired.keys(), ...owned.keys(), ...input.work.keys()])
  return [...names].toSorted().map((name) => {
    const seen = {
      name,
      desired: desired.get(name),
      containers: owned.get(name) ?? [],
      work: input.work.get(name),
      memory: input.memory.get(name),
    }
    const memory = remember(withFenced(seen, input.fenced), input.bootId, input.nowMs)
    const keeper = chooseKeeper(seen.desired, seen.containers, memory)
    return { ...seen, memory, keeper }
  })
}

/** A fenced container is condemned, as one that is being cleared away is. */
function withFenced<View extends Omit<UnitView, 'keeper'>>(
  view: View,
  fenced: ReadonlySet<string> = new Set(),
): View {
  const { memory, containers } = view
  const ids = containers.flatMap(({ id }) => (fenced.has(id) ? [id] : []))
  if (ids.length === 0 || view.desired === undefined) return view
  const known = memory ?? fresh(view.desired)
  const wasRunning = known.running !== undefined && ids.includes(known.running.containerId)
  return {
    ...view,
    memory: {
      ...known,
      running: wasRunning ? undefined : known.running,
      condemned: [...new Set([...known.condemned, ...ids])],
    },
  }
}

function readNeighbours(views: readonly UnitView[], nowMs: number): Neighbours {
  const standing = new Map<string, Standing>()
  const rules = new Map<string, UnitRules>()
  for (const view of views) {
    const { desired, name } = view
    if (desired?.desired !== 'launched') continue
    if (desired.plan.kind === 'ready') rules.set(name, desired.plan.rules)
    standing.set(name, standingOf(view, desired, nowMs))
  }
  return { standing, rules }
}

function standingOf(view: UnitView, desired: DesiredUnit, nowMs: number): Standing {
  const { keeper, work, memory } = view
  if (keeper !== undefined) return work?.kind === 'clear' ? 'ended' : 'active'
  if (desired.plan.kind === 'refused') return 'ended'
  if (memory?.end === undefined || desired.plan.kind === 'reading') return 'starting'
  const { rules } = desired.plan
  const again = restarts(memory.end.how, rules.restart) && nowMs >= restartAtMs(memory, rules)
  return again ? 'starting' : 'ended'
}

function decide(view: UnitView, neighbours: Neighbours, nowMs: number): Decision {
  const { desired, work, memory } = view
  if (work !== undefined) return whileAtWork(view)
  if (desired === undefined) {
    return clear(view, view.containers, conditions.stopping(view, 'no longer placed here'))
  }
  if (memory !== undefined && desired.generation < memory.highestGeneration) {
    return { condition: conditions.refused(view) }
  }
  if (desired.desired === 'loaded') {
    const condition = conditions.loaded(desired, memory)
    if (view.containers.length === 0) {
      const { isLeaving = false } = desired
      return { condition: isLeaving ? { ...condition, released: true } : condition }
    }
    const running = view.containers.some(runs)
    return clear(view, view.containers, running ? conditions.stopping(view, '') : condition)
  }
  const surplus = view.containers.filter((each) => runs(each) && each !== view.keeper)
  const fetching = fetchFirst(view, desired, surplus, nowMs)
  if (fetching !== undefined) return fetching
  if (surplus.length > 0) {
    return clear(view, surplus, conditions.ofKeeper(view) ?? conditions.stopping(view, 'replaced'))
  }
  return view.keeper === undefined
    ? whileNotRunning(view, desired, neighbours, nowMs)
    : whileRunning(view, desired, neighbours)
}

/** What runs of an older content goes on until what the new one is started from is here. */
function fetchFirst(
  view: UnitView,
  { plan, hash }: DesiredUnit,
  surplus: readonly OwnedContainer[],
  nowMs: number,
): Decision | undefined {
  const { keeper, memory, name } = view
  if (keeper !== undefined || memory === undefined || memory.fetch === 'done') return undefined
  const isCondemned = ({ id }: OwnedContainer): boolean => memory.condemned.includes(id)
  if (plan.kind === 'refused' || surplus.every(isCondemned)) return undefined
  const condition = conditions.fetching(view)
  if (plan.kind === 'reading') return { condition }
  if (memory.fetch !== 'unknown') {
    const { tries, atMs } = memory.fetch
    const lookAtMs = atMs + restartDelayMs(plan.rules, tries)
    if (nowMs < lookAtMs) return { condition, lookAtMs }
  }
  return { condition, action: { kind: 'fetch', unit: name, hash } }
}

/** One thing at a time: the work goes on unless it is a start that is no longer wanted. */
function whileAtWork(view: UnitView): Decision {
  const { work, desired, name } = view
  const condition = conditions.atWork(view)
  if (work?.kind !== 'start') return { condition }
  const wanted = desired?.desired === 'launched' && desired.hash === work.hash
  return wanted ? { condition } : { condition, action: { kind: 'cancel', unit: name } }
}

function whileRunning(view: UnitView, desired: DesiredUnit, neighbours: Neighbours): Decision {
  const condition = conditions.ofKeeper(view) ?? conditions.preparing(view)
  if (desired.plan.kind !== 'ready') return { condition }
  const bond = brokenBond(view.name, desired.plan.rules, neighbours)
  if (bond !== undefined) {
    return clear(view, view.containers, conditions.stopping(view, `bound to ${bond}, which ended`))
  }
  // What an earlier run left behind is cleared away once its successor runs.
  const leftovers = view.containers.filter((each) => each !== view.keeper && isLeftover(each))
  return leftovers.length === 0 ? { condition } : clear(view, leftovers, condition)
}

const isLeftover = ({ state }: OwnedContainer): boolean => state !== 'removing'

function whileNotRunning(
  view: UnitView,
  desired: DesiredUnit,
  neighbours: Neighbours,
  nowMs: number,
): Decision {
  const { plan, name, generation, hash } = desired
  const { memory } = view
  if (plan.kind === 'reading' || memory === undefined) return { condition: undefined }
  if (plan.kind === 'refused') return { condition: conditions.unreadable(plan, memory) }
  const { end } = memory
  if (end !== undefined) {
    if (!restarts(end.how, plan.rules.restart))
      return { condition: conditions.ended(view, plan.rules) }
    const atMs = restartAtMs(memory, plan.rules)
    if (nowMs < atMs) {
      return { condition: conditions.restarting(view, plan.rules, atMs - nowMs), lookAtMs: atMs }
    }
  }
  const wait = reasonToWait(name, plan.rules, neighbours)
  if (wait !== undefined) return { condition: conditions.waiting(view, wait) }
  const count = memory.restarts + (end === undefined ? 0 : 1)
  const leftovers = view.containers.filter(isLeftover).map(({ id }) => id)
  return {
    condition: conditions.preparing(view),
    action: { kind: 'start', unit: name, generation, hash, restarts: count, leftovers },
  }
}

function clear(
  view: UnitView,
  containers: readonly OwnedContainer[],
  condition: UnitCondition,
): Decision {
  const cleared = containers
    .filter(isLeftover)
    .map((each): Cleared => ({ id: each.id, running: runs(each), stop: each.owner.stop }))
  if (cleared.length === 0) return { condition }
  return { condition, action: { kind: 'clear', unit: view.name, containers: cleared } }
}

function afterAction(memory: UnitMemory, action: Action | undefined): UnitMemory {
  if (action === undefined || action.kind === 'cancel' || action.kind === 'fetch') return memory
  const ids = action.kind === 'start' ? action.leftovers : action.containers.map(({ id }) => id)
  const wasRunning = memory.running !== undefined && ids.includes(memory.running.containerId)
  return {
    ...memory,
    restarts: action.kind === 'start' ? action.restarts : memory.restarts,
    running: wasRunning ? undefined : memory.running,
    condemned: [...new Set([...memory.condemned, ...ids])],
  }
}
