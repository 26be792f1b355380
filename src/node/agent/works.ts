/** Carries actions out, one thing at a time for each unit, and tells when each is over. */
import { assert, assertNever } from '../../base/assert.ts'
import { describeError, isJangadaError } from '../../base/errors.ts'
import type { UnitName } from '../../base/ids.ts'
import type { Action, Cleared, Work } from '../../core/reconcile/types.ts'
import type { UnitSpec } from '../../core/units/types.ts'
import { sleep } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import {
  type FetchAction,
  type StartAction,
  type StartOutcome,
  type StartPhase,
  Starts,
  type StartsOptions,
} from './starts.ts'

/** An engine that failed us is not asked again at once. */
const engineDownPauseMs = 500
/** Progress of a pull changes many times a second; people read slower. */
const tellEveryMs = 500

export interface WorksOptions extends Omit<StartsOptions, 'isStopping'> {
  readonly log: Log
  readonly specOf: (unit: UnitName, hash: string) => UnitSpec | undefined
  /** Resolves after a list of the containers that began after the call. */
  readonly refresh: () => Promise<void>
  /** Before the unit is free again, and its containers have been listed anew. */
  readonly onStarted: (action: StartAction, outcome: StartOutcome) => void
  /** The same of a fetch; `failure`: why it came to nothing. */
  readonly onFetched: (unit: UnitName, hash: string, failure: string | undefined) => void
  readonly onChange: () => void
}

interface InFlight {
  work: Work
  readonly abort: AbortController
}

export class Works {
  readonly #options: WorksOptions
  readonly #starts: Starts
  readonly #inFlight = new Map<UnitName, InFlight>()
  /** Contents whose images were pulled while an older one ran: the start need not pull again. */
  readonly #fetched = new Map<UnitName, string>()
  /** Units of which something that runs is being stopped. */
  #stopping = 0
  #stopped = false

  constructor(options: WorksOptions) {
    this.#options = options
    this.#starts = new Starts({ ...options, isStopping: () => this.#stopping > 0 })
  }

  get bootId(): string {
    return this.#options.bootId
  }

  get inFlight(): ReadonlyMap<UnitName, Work> {
    return new Map([...this.#inFlight].map(([unit, { work }]) => [unit, work]))
  }

  /** Nothing new begins, and starts go no further. What the engine is doing, it finishes. */
  stop(): void {
    this.#stopped = true
    for (const { abort } of this.#inFlight.values()) abort.abort()
  }

  carryOut(action: Action): void {
    if (this.#stopped) return
    switch (action.kind) {
      case 'cancel':
        this.#inFlight.get(action.unit)?.abort.abort()
        return
      case 'clear':
        this.#begin(action.unit, { kind: 'clear' }, () =>
          this.#clear(action.unit, action.containers),
        )
        return
      case 'fetch': {
        const work: Work = { kind: 'start', hash: action.hash, phase: 'pulling', message: '' }
        this.#begin(action.unit, work, (inFlight) => this.#fetch(action, inFlight))
        return
      }
      case 'start': {
        const { hash } = action
        const work: Work = { kind: 'start', hash, phase: 'preparing', message: '' }
        this.#begin(action.unit, work, (inFlight) => this.#start(action, inFlight))
        return
      }
      default:
        assertNever(action)
    }
  }

  #begin(unit: UnitName, work: Work, run: (inFlight: InFlight) => Promise<void>): void {
    assert(!this.#inFlight.has(unit), 'a unit has one thing done to it at a time')
    const inFlight: InFlight = { work, abort: new AbortController() }
    this.#inFlight.set(unit, inFlight)
    void this.#finish(unit, run(inFlight))
  }

  /** The unit is free once a list that began after the work shows what came of it. */
  async #finish(unit: UnitName, work: Promise<void>): Promise<void> {
    await work
    if (!this.#stopped) await this.#options.refresh()
    this.#inFlight.delete(unit)
    if (!this.#stopped) this.#options.onChange()
  }

  async #start(action: StartAction, inFlight: InFlight): Promise<void> {
    const { log, specOf, onStarted, clock } = this.#options
    const spec = specOf(action.unit, action.hash)
    if (spec === undefined) return
    const startedMs = clock.monotonicMs()
    const { unit, hash } = action
    const isFetched = this.#fetched.get(unit) === hash
    this.#fetched.delete(unit)
    const how = { tell: this.#teller(hash, inFlight), isFetched }
    const outcome = await this.#starts.start(action, spec, inFlight.abort.signal, how)
    const tookMs = Math.round(clock.monotonicMs() - startedMs)
    if (outcome.kind === 'started') log.info('unit started', { unit, tookMs })
    else if (outcome.kind === 'failed')
      log.warn('unit not started', { unit, cause: outcome.message })
    if (outcome.kind === 'engine-down' || outcome.kind === 'held') {
      await sleep(clock, engineDownPauseMs, inFlight.abort.signal)
    }
    if (!this.#stopped) onStarted(action, outcome)
  }

  /** What runs meanwhile goes on, whatever comes of it. */
  async #fetch({ unit, hash }: FetchAction, inFlight: InFlight): Promise<void> {
    const { log, specOf, onFetched, clock } = this.#options
    const spec = specOf(unit, hash)
    if (spec === undefined) return
    const { signal } = inFlight.abort
    const outcome = await this.#starts.fetch(spec, signal, this.#teller(hash, inFlight))
    if (outcome.kind === 'engine-down') await sleep(clock, engineDownPauseMs, signal)
    if (outcome.kind === 'failed') {
      log.warn('unit not replaced: its older content runs on', { unit, cause: outcome.message })
    }
    if (this.#stopped || (outcome.kind !== 'fetched' && outcome.kind !== 'failed')) return
    if (outcome.kind === 'fetched') this.#fetched.set(unit, hash)
    onFetched(unit, hash, outcome.kind === 'failed' ? outcome.message : undefined)
  }

  #teller(hash: string, inFlight: InFlight): (phase: StartPhase, message: string) => void {
    const { clock, onChange } = this.#options
    let toldAtMs = -Infinity
    return (phase, message) => {
      const before = inFlight.work
      inFlight.work = { kind: 'start', hash, phase, message }
      const nowMs = clock.monotonicMs()
      const isNewPhase = before.kind !== 'start' || before.phase !== phase
      if (this.#stopped || (!isNewPhase && nowMs - toldAtMs < tellEveryMs)) return
      toldAtMs = nowMs
      onChange()
    }
  }

  async #clear(unit: UnitName, containers: readonly Cleared[]): Promise<void> {
    const { log, clock } = this.#options
    const running = containers.filter((each) => each.running).length
    if (running > 0) this.#stopping += 1
    // Let the caller go on first: it is told of nothing while it still decides.
    await Promise.resolve()
    const results = await Promise.allSettled(containers.map((each) => this.#clearOne(each)))
    if (running > 0) this.#stopping -= 1
    const failures = results.filter((result) => result.status === 'rejected')
    if (running > 0 && failures.length === 0)
      log.info('unit stopped', { unit, containers: running })
    for (const { reason } of failures) {
      if (!isJangadaError(reason, 'JGD_ENGINE_DOWN')) {
        log.warn('a container was not cleared away', { unit, cause: describeError(reason) })
      }
    }
    if (failures.length > 0) await sleep(clock, engineDownPauseMs)
  }

  async #clearOne({ id, running, stop }: Cleared): Promise<void> {
    const { containers } = this.#options
    if (running) await containers.stop(id, stop.signal, stop.graceMs)
    // A stop is the last thing said to a container before the agent itself stops: what is left
    // of it is cleared away by the next agent.
    if (!this.#stopped) await containers.remove(id)
  }
}
