/** One start of a unit: pulls what is missing, creates, starts, within `TimeoutStartSec=`. */
import { describeError, isJangadaError, JangadaError } from '../../base/errors.ts'
import { containerName } from '../../core/reconcile/labels.ts'
import { noteStartFailed, spare } from '../../core/reconcile/memory.ts'
import type { Action, DesiredUnit, StartFailure, UnitMemory } from '../../core/reconcile/types.ts'
import { defaultTimeoutMs } from '../../core/units/service.ts'
import type { UnitSpec } from '../../core/units/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Containers } from '../../ports/containers.ts'
import { type Fence, Held } from './fence.ts'
import { Gate } from './gate.ts'
import { StartLimit } from './start-limit.ts'
import { StartPace } from './start-pace.ts'
import {
  type ContainerContext,
  type ReadyContainer,
  readyContainer,
  unitContainer,
} from './unit-container.ts'

/** Apart from starts: an image that is slow to come holds up nobody who has his. */
const pullsAtOnce = 3
/** For a unit that sets no limit. */
const pullMsMax = 3_600_000
/** Without a word of the registry in this time, it is out of reach: as long as a start may take. */
const firstWordMs = defaultTimeoutMs
/** The same for an optional pull of an image that is here already: the start need not wait for it. */
const optionalFirstWordMs = 5_000

export interface StartsOptions extends ContainerContext {
  readonly containers: Omit<Containers, 'pull'>
  /** As the engine's. */
  readonly pull: Containers['pull']
  readonly clock: Clock
  readonly fence: Pick<Fence, 'permit' | 'guard' | 'started'>
  /** Something on this machine is being stopped: it may hold a port, or room, that is another's by now. */
  readonly isStopping: () => boolean
}

export type StartAction = Extract<Action, { kind: 'start' }>
export type FetchAction = Extract<Action, { kind: 'fetch' }>
export type StartPhase = 'preparing' | 'pulling' | 'starting'

export type StartOutcome =
  | { readonly kind: 'started' }
  /** The unit's own fault, or its image's: counts as an end. */
  | ({ readonly kind: 'failed' } & StartFailure)
  /** Nobody's fault: looked at again. */
  | { readonly kind: 'engine-down' | 'cancelled' | 'held' }
  /** These were to be cleared away before it, and have come to run. */
  | { readonly kind: 'overtaken'; readonly ids: readonly string[] }

export type FetchOutcome =
  | { readonly kind: 'fetched' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'engine-down' | 'cancelled' }

/** An agent before this one had its engine start them: they may be what is wanted. */
class Overtaken extends Error {
  override readonly name = 'Overtaken'
  readonly ids: readonly string[]

  constructor(ids: readonly string[]) {
    super('what an earlier start left behind runs')
    this.ids = ids
  }
}

interface Attempt {
  readonly action: StartAction
  readonly spec: UnitSpec
  readonly signal: AbortSignal
  readonly limit: StartLimit
  readonly tell: (phase: StartPhase, message: string) => void
  /** What it pulls has been pulled for it. */
  readonly isFetched: boolean
}
type Pulling = Pick<Attempt, 'spec' | 'signal' | 'limit' | 'tell'>

export class Starts {
  readonly #options: StartsOptions
  readonly #starts: StartPace
  readonly #pulls = new Gate(pullsAtOnce)

  constructor(options: StartsOptions) {
    this.#options = options
    this.#starts = new StartPace(options.clock)
  }

  /** Pulls what a start would. Never rejects. `signal` cancels. */
  async fetch(spec: UnitSpec, signal: AbortSignal, tell: Attempt['tell']): Promise<FetchOutcome> {
    const { containers, clock } = this.#options
    const limit = new StartLimit(clock, Infinity, () => undefined)
    const pulling = { spec, signal, limit, tell }
    try {
      const { container, ...ready } = await orAborted(readyContainer(this.#options, spec), signal)
      await this.#pullFirst({ container, ...ready }, pulling)
      const image = container.Image
      if ((await containers.imageDigest(image)) !== undefined) return { kind: 'fetched' }
      if (ready.pullPolicy === 'never') {
        throw new JangadaError('JGD_IMAGE_MISSING', `${image} is not here, and not to be pulled`)
      }
      await this.#pull(image, pulling)
      return { kind: 'fetched' }
    } catch (error) {
      if (signal.aborted) return { kind: 'cancelled' }
      if (isJangadaError(error, 'JGD_ENGINE_DOWN')) return { kind: 'engine-down' }
      return { kind: 'failed', message: describeError(error) }
    } finally {
      limit.end()
    }
  }

  /** Never rejects. `signal` cancels; what was created by then is removed. */
  async start(
    action: StartAction,
    spec: UnitSpec,
    signal: AbortSignal,
    { tell, isFetched }: Pick<Attempt, 'tell' | 'isFetched'>,
  ): Promise<StartOutcome> {
    const { clock, isStopping } = this.#options
    if (signal.aborted) return { kind: 'cancelled' }
    const wasStopping = isStopping()
    const abandoned = new AbortController()
    const giveUp = (): void => abandoned.abort()
    signal.addEventListener('abort', giveUp, { once: true })
    const limit = new StartLimit(clock, spec.timeoutStartMs ?? Infinity, giveUp)
    let isPulling = false
    const note: Attempt['tell'] = (phase, message) => {
      isPulling = phase === 'pulling'
      tell(phase, message)
    }
    try {
      await this.#attempt({ action, spec, signal: abandoned.signal, limit, tell: note, isFetched })
      return { kind: 'started' }
    } catch (error) {
      if (signal.aborted) return { kind: 'cancelled' }
      if (error instanceof Overtaken) return { kind: 'overtaken', ids: error.ids }
      if (error instanceof Held) {
        tell('preparing', error.message)
        return { kind: 'held' }
      }
      if (abandoned.signal.aborted) {
        const limitMs = spec.timeoutStartMs ?? 0
        const message = `not started within TimeoutStartSec (${limitMs / 1000} s)`
        return { kind: 'failed', timedOut: true, ofImage: isPulling, message }
      }
      if (isJangadaError(error, 'JGD_ENGINE_DOWN')) return { kind: 'engine-down' }
      const message = describeError(error)
      if (isJangadaError(error, 'JGD_BAD_REQUEST') && (wasStopping || isStopping())) {
        tell('preparing', `waits for what is being stopped here: ${message}`)
        return { kind: 'held' }
      }
      return { kind: 'failed', timedOut: false, ofImage: isOfImage(error), message }
    } finally {
      limit.end()
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #attempt(attempt: Attempt): Promise<void> {
    const { containers } = this.#options
    const { action, spec, signal } = attempt
    const removed = await Promise.all(
      action.leftovers.map(async (id) => ({
        id,
        isGone: await orAborted(containers.removeStopped(id), signal),
      })),
    )
    const running = removed.filter(({ isGone }) => !isGone).map(({ id }) => id)
    if (running.length > 0) throw new Overtaken(running)
    const ready = await orAborted(unitContainer(this.#options, spec, action), signal)
    if (!attempt.isFetched) await this.#pullFirst(ready, attempt)
    if (await this.#createAndStart(ready, attempt)) return
    await this.#pull(ready.container.Image, attempt)
    if (await this.#createAndStart(ready, attempt)) return
    throw new JangadaError('JGD_IMAGE_MISSING', `${ready.container.Image} is not here after a pull`)
  }

  /** `docker pull` before the start, and `--pull=always`. */
  async #pullFirst(ready: ReadyContainer, attempt: Pulling): Promise<void> {
    for (const { image, ignoreFailure } of ready.pulls) {
      try {
        const { containers } = this.#options
        const present = ignoreFailure && (await containers.imageDigest(image)) !== undefined
        await this.#pull(image, attempt, present ? optionalFirstWordMs : firstWordMs)
      } catch (error) {
        if (attempt.signal.aborted || !ignoreFailure) throw error
      }
    }
    if (ready.pullPolicy === 'always') await this.#pull(ready.container.Image, attempt)
  }

  /** The unit's limit goes on when it is over, whatever came of it. */
  async #pull(image: string, attempt: Pulling, wordMs = firstWordMs): Promise<void> {
    const { pull } = this.#options
    const { spec, signal, limit } = attempt
    attempt.tell('pulling', `waits to pull ${image}`)
    limit.pause()
    const pulling = this.#pulls.pass(async () => {
      signal.throwIfAborted()
      if (spec.timeoutCoversPulls) limit.goOn()
      attempt.tell('pulling', image)
      const leftMs = spec.timeoutCoversPulls ? Math.max(1, limit.leftMs) : Infinity
      const progress = (text: string): void => attempt.tell('pulling', `${image}: ${text}`)
      await pull(image, Math.min(pullMsMax, leftMs), progress, wordMs)
    })
    try {
      await orAborted(pulling, signal)
    } finally {
      limit.goOn()
    }
  }

  /** Of a unit that must never run twice; undefined of others. Rejects with `Held`. */
  async #permit({ action, spec }: Attempt): Promise<number | undefined> {
    if (spec.placement.fencing !== 'stop') return undefined
    return this.#options.fence.permit(action.unit, action.generation)
  }

  #guard({ action, spec }: Attempt, permit: number, id: string): Promise<void> {
    const graceMs = spec.placement.fencingGraceMs
    return this.#options.fence.guard(permit, { id, unit: action.unit, graceMs })
  }

  /** False when the image is missing and may be pulled. */
  #createAndStart(ready: ReadyContainer, attempt: Attempt): Promise<boolean> {
    const { containers } = this.#options
    const { action, signal } = attempt
    attempt.limit.pause()
    const starting = this.#starts.pass(async () => {
      signal.throwIfAborted()
      attempt.limit.goOn()
      attempt.tell('starting', '')
      const permit = await this.#permit(attempt)
      let id: string
      try {
        const name = containerName(action.unit, action.generation)
        id = await containers.create(name, ready.container)
      } catch (error) {
        const mayPull = ready.pullPolicy !== 'never' && isJangadaError(error, 'JGD_IMAGE_MISSING')
        if (mayPull) return false
        throw error
      }
      try {
        signal.throwIfAborted()
        if (permit !== undefined) await this.#guard(attempt, permit, id)
        signal.throwIfAborted()
        await containers.start(id)
        return true
      } catch (error) {
        await containers.remove(id).catch(() => undefined)
        throw error
      } finally {
        this.#options.fence.started(id)
      }
    })
    return orAborted(starting, signal)
  }
}

const isOfImage = (error: unknown): boolean =>
  isJangadaError(error, 'JGD_IMAGE_PULL') || isJangadaError(error, 'JGD_IMAGE_MISSING')

/** Rejects as soon as `signal` aborts; the engine's own work is left to end by itself. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever loses the race may still reject, and nobody is left to hear it.
  work.catch(() => undefined)
  signal.throwIfAborted()
  let stop = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new Error('abandoned'))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** The memory of its unit after a start. */
export function noteOutcome(
  memory: UnitMemory,
  {
    action,
    outcome,
    desired,
    nowMs,
  }: {
    readonly action: StartAction
    readonly outcome: StartOutcome
    readonly desired: DesiredUnit | undefined
    readonly nowMs: number
  },
): UnitMemory {
  if (outcome.kind === 'overtaken') return spare(memory, outcome.ids)
  const isCurrent = desired !== undefined && memory.hash === action.hash
  return outcome.kind === 'failed' && isCurrent
    ? noteStartFailed(memory, outcome, desired, nowMs)
    : memory
}
