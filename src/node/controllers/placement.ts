/**
 * The placement loop: when machines, units or placements change, plans from what the store says,
 * checks the plan and commits it in guarded chunks. It decides nothing itself.
 */
import { present } from '../../base/assert.ts'
import { describeError, type ErrorCode, isJangadaError } from '../../base/errors.ts'
import { Once } from '../../base/once.ts'
import { crashes, machines, placements, units } from '../../core/records/keyspace.ts'
import type {
  CrashRecord,
  MachineRecord,
  PlacementRecord,
  UnitRecord,
} from '../../core/records/schemas.ts'
import { type Violation, violationsOf } from '../../core/scheduler/check.ts'
import type { Decision, Snapshot } from '../../core/scheduler/types.ts'
import type { Compare } from '../../core/store/types.ts'
import { sleep, type Timer } from '../../ports/clock.ts'
import { Stretches } from '../../ports/stretches.ts'
import { type ChangesView, changesOf } from './changes.ts'
import { type ControllerContext, type Office, putEvent } from './context.ts'
import { type FencedInMs, Fences } from './fence.ts'
import { chunksOf, partsInChunks } from './plan-chunks.ts'
import { PlanParts } from './plan-parts.ts'
import { Held, type Part } from './held.ts'
import { assertSamePlan } from './plan-comparison.ts'
import { placeOf } from './places.ts'
import { type FedRecords, SchedulerFeed } from './scheduler-feed.ts'
import { snapshotOf } from './snapshot.ts'
import { type Asked, saidOf, withWords } from './unit-words.ts'
import { StormBrake } from './storm-brake.ts'
import type { UnitRules } from './unit-rules.ts'

/** After a plan that could not be committed, and while nothing else changes. */
const retryMs = 100
/** After a plan that nobody can carry out, and while nothing else changes. */
const stuckRetryMs = 10_000
/** What passes by itself; anything else that a plan fails by is a bug, or a full store. */
const passing: readonly ErrorCode[] = [
  'JGD_STALE_TERM',
  'JGD_NOT_LEADER',
  'JGD_NO_QUORUM',
  'JGD_OUTCOME_UNKNOWN',
  'JGD_OVERLOADED',
  'JGD_SHUTTING_DOWN',
]
const guardFailedMs = 10
/** Between two looks whether a replacement runs, on a machine that takes over from one that drains. */
const replacementLookMs = 250
/** The same for who may make room once more of his kind run. */
const roomLookMs = 2_000
/** A timer has its bounds, and a wall clock may be set. */
const longestLookMs = 60_000
const eventTextMax = 1024

type Machines = ChangesView<MachineRecord, [string]>
type Units = ChangesView<UnitRecord, [string]>
type Placements = ChangesView<PlacementRecord, [string, string]>
type Crashes = ChangesView<CrashRecord, [string]>

/** A plan that its checker refuses. Nothing of it is committed. */
class BrokenRule extends Error {
  readonly violation: Violation

  constructor(violation: Violation) {
    super(`a plan keeps the rules: ${JSON.stringify(violation)}`)
    this.violation = violation
  }
}

export class PlacementController {
  readonly #context: ControllerContext
  readonly #office: Office
  readonly #machines: Machines
  readonly #units: Units
  readonly #placements: Placements
  readonly #crashes: Crashes
  readonly #held: Held
  readonly #once: Once
  /** The last plan could not be carried out, and people were told. */
  #isStuckTold = false
  #retry: Timer | undefined
  #look: Timer | undefined
  readonly #rules: UnitRules
  readonly #brake: StormBrake
  readonly #fences: Fences
  readonly #parts: PlanParts
  readonly #violations: typeof violationsOf
  /** Made anew after a plan that cannot be carried out: what it assumed has not come to be. */
  #feed: SchedulerFeed
  /** Units whose plan broke a rule, in the revision of their record then: they stay where they are. */
  readonly #aside = new Map<string, number>()

  constructor(
    context: ControllerContext,
    office: Office,
    rules: UnitRules,
    fencedInMs: FencedInMs,
    violations: typeof violationsOf = violationsOf,
  ) {
    this.#violations = violations
    this.#context = context
    this.#office = office
    this.#rules = rules
    this.#brake = new StormBrake(context, office)
    this.#once = new Once(() => this.#run())
    const changed = (): void => this.#once.ask()
    this.#machines = changesOf(context, machines, office, changed)
    this.#units = changesOf(context, units, office, changed)
    this.#placements = changesOf(context, placements, office, changed)
    this.#crashes = changesOf(context, crashes, office, changed)
    this.#held = new Held(context, office, changed)
    this.#fences = new Fences(this.#machines, this.#placements, fencedInMs)
    this.#parts = new PlanParts(context, this.#records, rules, this.#fences, (unit, machine) =>
      this.#feed.others(unit, machine),
    )
    this.#feed = this.#newFeed()
  }

  start(): void {
    this.#once.ask()
  }

  async #run(): Promise<void> {
    if (this.#office.signal.aborted) return
    const views = [this.#machines, this.#units, this.#placements, this.#crashes]
    if (!this.#held.isListed || views.some(({ at }) => at === undefined)) return
    try {
      await this.#planOnce()
      this.#isStuckTold = false
    } catch (error) {
      if (this.#office.signal.aborted) return
      if (error instanceof BrokenRule && this.#setAside(error)) {
        const { unit } = error.violation
        this.#context.log.error('a unit is set aside', { unit, cause: describeError(error) })
        await this.#tellStuck(error)
        this.#once.ask()
        return
      }
      if (!isJangadaError(error) || !passing.includes(error.code)) {
        await this.#stuck(error)
        return
      }
      if (error.code !== 'JGD_STALE_TERM') {
        this.#context.log.warn('a plan was not committed', { cause: describeError(error) })
      }
      await sleep(this.#context.clock, retryMs, this.#office.signal)
      this.#once.ask()
    }
  }

  /** One unit that nobody can plan for must not hold up the others. False when it is that already. */
  #setAside({ violation: { unit } }: BrokenRule): boolean {
    const revision = this.#units.get(unit)?.modRevision
    if (revision === undefined || this.#aside.get(unit) === revision) return false
    this.#aside.set(unit, revision)
    this.#feed = this.#newFeed()
    return true
  }

  /**
   * Ending the process, as a broken invariant does elsewhere, would take the store along on one
   * node after the other: what runs goes on, nothing is moved, and people are told.
   */
  async #stuck(error: unknown): Promise<void> {
    const { log, clock } = this.#context
    log.error('units are placed no more: a plan cannot be carried out', {
      cause: describeError(error),
    })
    this.#feed = this.#newFeed()
    this.#retry?.cancel()
    this.#retry = clock.after(stuckRetryMs, () => this.#once.ask())
    if (!this.#isStuckTold) this.#isStuckTold = await this.#tellStuck(error)
  }

  /** True when people have been told. */
  async #tellStuck(error: unknown): Promise<boolean> {
    const { log, store } = this.#context
    const cause = describeError(error)
    const aside = error instanceof BrokenRule ? error.violation.unit : undefined
    const message =
      aside === undefined
        ? `units are neither placed nor moved: ${cause}`
        : `${aside} is neither placed nor moved until it changes: ${cause}`
    const event = putEvent(this.#context, {
      kind: 'placement.stuck',
      severity: 'alarm',
      code: isJangadaError(error) ? error.code : 'JGD_INTERNAL',
      message: message.slice(0, eventTextMax),
      ...(aside !== undefined && { unit: aside }),
    })
    try {
      await store.transact({ compare: [], then: [event], otherwise: [], term: this.#office.term })
      return true
    } catch (failure) {
      log.warn('nobody was told of it', { cause: describeError(failure) })
      return false
    }
  }

  async #planOnce(): Promise<void> {
    const { clock } = this.#context
    const { signal } = this.#office
    const feed = this.#feed
    await feed.catchUp(clock, signal)
    if (signal.aborted) return
    const said = await this.#said()
    if (signal.aborted) return
    // From here to the guards nothing is waited for: they must be of what the plan is made of.
    const decisions = this.#decide(said)
    const guards = new Map(decisions.map((decision) => [decision, this.#parts.guardsOf(decision)]))
    this.#held.planBegins()
    for (const chunk of chunksOf(decisions, (unit) => this.#parts.needsOf(unit))) {
      const parts = chunk.map((decision) =>
        this.#parts.partOf(decision, guards.get(decision) ?? []),
      )
      if (!(await this.#commit(parts))) return
      this.#brake.took(chunk.filter(({ kind }) => kind === 'move').length)
    }
    const decided = new Set(decisions.map(placeOf))
    const lagging = feed.lagging((placed) => this.#parts.updateOf(placed, decided))
    for (const parts of partsInChunks(lagging)) {
      if (!(await this.#commit(parts))) return
    }
  }

  /** Plans and checks the plan. */
  #decide(said: readonly Asked[]): readonly Decision[] {
    const { clock, metrics, comparesPlans } = this.#context
    const feed = this.#feed
    const wallMs = clock.wallMs()
    const current = said.filter(({ stored: { value, modRevision } }) => {
      return this.#placements.get(value.machine, value.unit)?.modRevision === modRevision
    })
    feed.bring(wallMs, current)
    const movesMax = this.#brake.allowance(this.#machines.values)
    const runs = new Map(current.map((each) => [placeOf(each.stored.value), each.runs]))
    const startedMs = clock.monotonicMs()
    const planned = feed.scheduler.plan({ runs, movesMax })
    const { decisions, unplaced, waitsForRoom } = planned
    metrics.observe('jangada_plan_ms', clock.monotonicMs() - startedMs)
    feed.decided(decisions)
    this.#check(decisions, wallMs)
    if (comparesPlans === true) {
      assertSamePlan(this.#snapshot(current, movesMax, wallMs), planned)
    }
    const isBraked = [...unplaced.values()].some(({ braked }) => braked !== undefined)
    this.#brake.planned({ holdsBack: isBraked })
    const brakeMs = isBraked ? this.#brake.waitMs : Infinity
    this.#lookAgain(decisions, Math.min(brakeMs, waitsForRoom ? roomLookMs : Infinity))
    return decisions
  }

  #check(decisions: readonly Decision[], wallMs: number): void {
    if (decisions.length === 0) return
    const { replacements } = this.#feed.scheduler
    const touched = this.#feed.around(decisions, wallMs)
    const [violation] = this.#violations(touched, decisions, replacements)
    if (violation !== undefined) throw new BrokenRule(violation)
  }

  /** Replacements tell nobody here when they run, and deadlines pass by themselves. */
  #lookAgain(decisions: readonly Decision[], heldMs: number): void {
    const { clock } = this.#context
    const waits =
      this.#feed.scheduler.isRestless || decisions.some(({ kind }) => kind === 'release')
    const quietMs = this.#feed.quietMs(clock.wallMs())
    const lookMs = Math.min(heldMs, quietMs, waits ? replacementLookMs : Infinity)
    this.#look?.cancel()
    this.#look =
      lookMs === Infinity
        ? undefined
        : clock.after(Math.min(lookMs, longestLookMs), () => this.#once.ask())
  }

  /** False when a guard did not hold: what changed will wake the loop again. */
  async #commit(parts: readonly Part[]): Promise<boolean> {
    const compare = new Map<string, Compare>()
    for (const part of parts) for (const each of part.compare) compare.set(each.key, each)
    const then = parts.flatMap((part) => part.then)
    const result = await this.#context.store.transact({
      compare: [...compare.values()],
      then,
      otherwise: [],
      term: this.#office.term,
    })
    if (!result.succeeded) {
      // The views are a few milliseconds behind what the guard saw.
      await sleep(this.#context.clock, guardFailedMs, this.#office.signal)
      this.#once.ask()
      return false
    }
    // Planning again from a view that misses this plan would place the same units again.
    const isBehind = (): boolean =>
      (this.#placements.at ?? 0) < result.revision || !this.#held.hasSeen(then, result.revision)
    while (isBehind() && !this.#office.signal.aborted) {
      await sleep(this.#context.clock, 1, this.#office.signal)
    }
    return true
  }

  /** Where replacements run by now, and where copies have stopped that must be gone before. */
  async #said(): Promise<readonly Asked[]> {
    const { store, clock } = this.#context
    return saidOf(this.#feed.asked(), store, new Stretches(clock, this.#office.signal))
  }

  get #records(): FedRecords {
    return {
      machines: this.#machines,
      units: this.#units,
      placements: this.#placements,
      crashes: this.#crashes,
      held: this.#held,
    }
  }

  #newFeed(): SchedulerFeed {
    return new SchedulerFeed(this.#records, this.#rules, this.#fences, this.#aside)
  }

  /** All of the cluster, as the planner that is kept was told it piece by piece. */
  #snapshot(said: readonly Asked[], movesMax: number | undefined, wallMs: number): Snapshot {
    const items = new Map([...this.#units.items.values()].map((item) => [item.value, item]))
    const snapshot = snapshotOf(
      {
        machines: this.#machines.values,
        units: items.keys(),
        placements: this.#placements.values,
        isFenced: (placement) => this.#feed.isOver(placement),
        crashOf: (unit) => this.#crashes.get(unit)?.value,
        ...this.#held.records,
      },
      (record) => this.#feed.rulesOf(present(items.get(record), 'the record of a unit')),
      wallMs,
    )
    return { ...withWords(snapshot, said), ...(movesMax !== undefined && { movesMax }) }
  }
}
