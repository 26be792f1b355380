/** How a unit stands, in systemd's words, with `pulling` and `waiting` while it prepares. */
import { chooseKeeper, type OwnedContainer, runs, type UnitView } from './memory.ts'
import { describeEnd, failed } from './restart.ts'
import type { DesiredUnit, UnitCondition, UnitMemory, UnitRules } from './types.ts'

const none = { containerId: '', image: '', imageDigest: '' }

const ofContainer = (
  container: OwnedContainer | undefined,
): Pick<UnitCondition, 'containerId' | 'image' | 'imageDigest'> =>
  container === undefined
    ? none
    : { containerId: container.id, image: container.image, imageDigest: container.imageDigest }

const newest = (view: UnitView): OwnedContainer | undefined =>
  view.containers.toSorted((a, b) => (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0))[0]

const base = (view: UnitView): Pick<UnitCondition, 'load' | 'restarts'> => ({
  load: 'loaded',
  restarts: view.memory?.restarts ?? 0,
})

export const unknown = (memory: UnitMemory | undefined): UnitCondition => ({
  load: 'loaded',
  active: 'unknown',
  sub: 'unknown',
  ...none,
  containerId: memory?.running?.containerId ?? '',
  restarts: memory?.restarts ?? 0,
  message: 'the container engine does not answer',
})

export const loaded = (desired: DesiredUnit, memory: UnitMemory | undefined): UnitCondition => ({
  load: desired.plan.kind === 'refused' ? desired.plan.load : 'loaded',
  active: 'inactive',
  sub: 'dead',
  ...none,
  restarts: memory?.restarts ?? 0,
  message: desired.plan.kind === 'refused' ? desired.plan.message : '',
})

export const refused = (view: UnitView): UnitCondition =>
  ofKeeper(view) ?? {
    ...base(view),
    active: 'inactive',
    sub: 'dead',
    ...none,
    message: 'an older placement than one already seen: refused',
  }

export const unreadable = (
  plan: Extract<DesiredUnit['plan'], { kind: 'refused' }>,
  memory: UnitMemory,
): UnitCondition => ({
  load: plan.load,
  active: 'inactive',
  sub: 'dead',
  ...none,
  restarts: memory.restarts,
  message: plan.message,
})

export function ofKeeper(view: UnitView): UnitCondition | undefined {
  const { keeper } = view
  if (keeper === undefined) return undefined
  return {
    ...base(view),
    active: 'active',
    sub: 'running',
    ...ofContainer(keeper),
    message: keeper.state === 'paused' ? 'its container is paused' : '',
  }
}

export const stopping = (view: UnitView, message: string): UnitCondition => ({
  ...base(view),
  active: 'deactivating',
  sub: 'stop',
  ...ofContainer(view.containers.find(runs) ?? newest(view)),
  message,
})

export const preparing = (view: UnitView): UnitCondition => ({
  ...base(view),
  active: 'activating',
  sub: 'start-pre',
  ...none,
  message: '',
})

/** An older content of it runs until what this one is started from is here. */
export function fetching(view: UnitView): UnitCondition {
  const { fetch = 'unknown' } = view.memory ?? {}
  const message = 'what runs is of its older content, until the image of the new one is here'
  return {
    ...preparing(view),
    sub: 'pulling',
    ...ofContainer(view.containers.find(runs)),
    message: typeof fetch === 'string' ? message : `${message}: ${fetch.message}`,
  }
}

export const waiting = (view: UnitView, message: string): UnitCondition => ({
  ...preparing(view),
  sub: 'waiting',
  message,
})

export function restarting(view: UnitView, rules: UnitRules, inMs: number): UnitCondition {
  const { end, failures = 0 } = view.memory ?? {}
  const why = end === undefined ? '' : describeEnd(end.how)
  const condition = { ...preparing(view), sub: 'auto-restart', ...ofContainer(newest(view)) }
  if (failures >= rules.startLimit.burst) {
    const isOfImage = end?.how.kind === 'start-failed' && end.how.ofImage
    // When it is tried again is said by whoever decides it, and that is not this machine alone.
    return { ...condition, message: why, crashLoop: isOfImage ? 'image' : 'run' }
  }
  // Whole seconds of the full delay, so that the words do not change with every look.
  const again = `starts again${inMs >= 1000 ? ' after a pause' : ''}`
  return { ...condition, message: why === '' ? again : `${why}; ${again}` }
}

export function ended(view: UnitView, rules: UnitRules): UnitCondition {
  const end = view.memory?.end
  const isFailure = end !== undefined && failed(end.how, rules.ignoreFailure)
  const state = isFailure
    ? ({ active: 'failed', sub: 'failed' } as const)
    : ({ active: 'inactive', sub: 'dead' } as const)
  const message = end === undefined ? '' : describeEnd(end.how)
  return { ...base(view), ...state, ...ofContainer(newest(view)), message }
}

export function atWork(view: UnitView): UnitCondition {
  const { work } = view
  if (work?.kind === 'start') {
    const sub = { preparing: 'start-pre', pulling: 'pulling', starting: 'start' }[work.phase]
    return {
      ...preparing(view),
      ...ofContainer(view.containers.find(runs)),
      sub,
      message: work.message,
    }
  }
  // Leftovers are cleared away beside the container that runs.
  const keeper = chooseKeeper(view.desired, view.containers, view.memory)
  if (keeper !== undefined) return ofKeeper({ ...view, keeper }) as UnitCondition
  return stopping(view, '')
}
