/**
 * The placement loop: when machines, units or placements change, plans from what the store says,
 * checks the plan and commits it in guarded chunks. It decides nothing itself.
 */
import { assert, assertNever, present } from '../../base/assert.ts'
import { describeError, type ErrorCode, isJangadaError } from '../../base/errors.ts'
import type { Needs } from '../../base/room.ts'
import { type MachineId, machineId, type UnitName, unitName } from '../../base/ids.ts'
import { crashes, machines, placements, units } from '../../core/records/keyspace.ts'
import type { Stored } from '../../core/records/record.ts'
import type {
  CrashRecord,
  MachineRecord,
  PlacementRecord,
  UnitRecord,
} from '../../core/records/schemas.ts'
import { afterPlan, checkPlacements, checkPlan } from '../../core/scheduler/check.ts'
import { plan } from '../../core/scheduler/plan.ts'
import { isFree, noNeeds } from '../../core/scheduler/room.ts'
import type { Decision, Snapshot } from '../../core/scheduler/types.ts'
import { type Compare, type Operation } from '../../core/store/types.ts'
import { sleep, type Timer } from '../../ports/clock.ts'
import type { RecordView } from '../member/follow.ts'
import { type ControllerContext, type Office, Once, putEvent, viewOf } from './context.ts'
import { type FencedInMs, fenceOf, Fences, taken, toLeave } from './fence.ts'
import { chunksOf, partsInChunks } from './plan-chunks.ts'
import { askedOf, runningOf, snapshotOf, withRuns } from './snapshot.ts'
import { Held, type Part } from './held.ts'
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
/** A timer has its bounds, and a wall clock may be set. */
const longestLookMs = 60_000
const eventTextMax = 1024

type Machines = RecordView<MachineRecord, [string]>
type Units = RecordView<UnitRecord, [string]>
type Placements = RecordView<PlacementRecord, [string, string]>
type Crashes = RecordView<CrashRecord, [string]>

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

  constructor(
    context: ControllerContext,
    office: Office,
    rules: UnitRules,
    fencedInMs: FencedInMs,
  ) {
    this.#context = context
    this.#office = office
    this.#rules = rules
    this.#brake = new StormBrake(context, office)
    this.#once = new Once(() => this.#run())
    const changed = (): void => this.#once.ask()
    this.#machines = viewOf(context, machines, office, changed)
    this.#units = viewOf(context, units, office, changed)
    this.#placements = viewOf(context, placements, office, changed)
    this.#crashes = viewOf(context, crashes, office, changed)
    this.#held = new Held(context, office, changed)
    this.#fences = new Fences(this.#machines, this.#placements, fencedInMs)
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

  /**
   * Ending the process, as a broken invariant does elsewhere, would take the store along on one
   * node after the other: what runs goes on, nothing is moved, and people are told.
   */
  async #stuck(error: unknown): Promise<void> {
    const { log, clock, store } = this.#context
    const cause = describeError(error)
    log.error('units are placed no more: a plan cannot be carried out', { cause })
    this.#retry?.cancel()
    this.#retry = clock.after(stuckRetryMs, () => this.#once.ask())
    if (this.#isStuckTold) return
    const event = putEvent(this.#context, {
      kind: 'placement.stuck',
      severity: 'alarm',
      code: isJangadaError(error) ? error.code : 'JGD_INTERNAL',
      message: `units are neither placed nor moved: ${cause}`.slice(0, eventTextMax),
    })
    try {
      await store.transact({ compare: [], then: [event], otherwise: [], term: this.#office.term })
      this.#isStuckTold = true
    } catch (failure) {
      log.warn('nobody was told of it', { cause: describeError(failure) })
    }
  }

  async #planOnce(): Promise<void> {
    const { signal } = this.#office
    await this.#rules.readAll(this.#units.items, this.#context.clock, signal)
    if (signal.aborted) return
    const running = await this.#running()
    if (signal.aborted) return
    // From here to the guards nothing is waited for: they must be of what the plan is made of.
    const seen = withRuns(this.#snapshot(), running, this.#placements)
    const movesMax = this.#brake.allowance(this.#machines.values)
    const snapshot = movesMax === undefined ? seen : { ...seen, movesMax }
    const startedMs = this.#context.clock.monotonicMs()
    const { decisions, unplaced } = plan(snapshot)
    this.#context.metrics.observe('jangada_plan_ms', this.#context.clock.monotonicMs() - startedMs)
    const violations = [
      ...checkPlan(snapshot, decisions),
      ...checkPlacements(afterPlan(snapshot, decisions)),
    ]
    assert(violations.length === 0, `a plan keeps the rules: ${JSON.stringify(violations[0])}`)
    const guards = new Map(decisions.map((decision) => [decision, this.#guardsOf(decision)]))
    this.#held.planBegins()
    for (const chunk of chunksOf(decisions, (unit) => this.#needsOf(unit)?.volumes?.length ?? 0)) {
      const parts = chunk.map((decision) => this.#partOf(decision, guards.get(decision) ?? []))
      if (!(await this.#commit(parts))) return
      this.#brake.took(chunk.filter(({ kind }) => kind === 'move').length)
    }
    const isBraked = [...unplaced.values()].some(({ braked }) => braked !== undefined)
    this.#lookAgain(afterPlan(snapshot, decisions), isBraked ? this.#brake.waitMs : Infinity)
    for (const parts of partsInChunks(this.#updates(decisions))) {
      if (!(await this.#commit(parts))) return
    }
  }

  /** Replacements tell nobody here when they run, and deadlines pass by themselves. */
  #lookAgain({ placements: placed, units: known }: Snapshot, brakeMs: number): void {
    const { clock } = this.#context
    const globals = new Set(known.flatMap(({ name, rules }) => (rules.global ? [name] : [])))
    const others = placed.filter(({ unit }) => !globals.has(unit))
    const isLeaving = placed.some(({ fence, moves }) => fence?.isLeaving === true || moves === true)
    const waits = isLeaving || new Set(others.map(({ unit }) => unit)).size < others.length
    const nowMs = clock.wallMs()
    const deadlines = this.#machines.values.flatMap(({ drain }) =>
      drain?.deadlineMs !== undefined && drain.deadlineMs > nowMs ? [drain.deadlineMs - nowMs] : [],
    )
    const pauses = this.#crashes.values.flatMap(({ untilMs, parked }) =>
      !parked && untilMs > nowMs ? [untilMs - nowMs] : [],
    )
    const fences = this.#placements.values.flatMap((each) => this.#fences.leftMs(each) ?? [])
    const lookMs = Math.min(
      brakeMs,
      ...deadlines,
      ...pauses,
      ...fences,
      waits ? replacementLookMs : Infinity,
    )
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
  async #running(): Promise<ReadonlyMap<string, boolean>> {
    const asked = askedOf(this.#snapshot())
    if (asked.length === 0) return new Map()
    return runningOf(asked, this.#context.store, this.#placements)
  }

  /** That unit and machine of what comes are as they were seen. */
  #guardsOf(decision: Decision): readonly Compare[] {
    const { unit, machine } = decision
    if (decision.kind === 'release') return []
    if (decision.kind === 'unplace') return this.#fences.returnGuards(machine, unit)
    return [
      ...(decision.kind === 'move' ? this.#fences.returnGuards(decision.from, unit) : []),
      guard(units.key(unit), this.#units.get(unit)),
      guard(machines.key(machine), this.#machines.get(machine)),
    ]
  }

  #partOf(decision: Decision, guards: readonly Compare[]): Part {
    const { unit, machine } = decision
    switch (decision.kind) {
      case 'release':
      case 'unplace': {
        const placed = this.#placements.get(machine, unit)
        const { reason } = decision
        const isReleased = decision.kind === 'release' && placed !== undefined
        const told = reason.kind === 'preempted' ? [this.#preempted(unit, machine, reason.by)] : []
        return {
          compare: [guard(placements.key(machine, unit), placed), ...guards],
          then: isReleased
            ? [toLeave(placed), ...told]
            : [...taken(machine, unit), ...(placed ? this.#held.left(placed.value) : []), ...told],
        }
      }
      case 'place':
      case 'move': {
        const held = this.#held.placed(unit, machine, this.#needsOf(unit))
        const compare = [
          ...guards,
          guard(placements.key(machine, unit), undefined),
          ...held.compare,
        ]
        const then = [placements.put(this.#record(unit, machine), machine, unit), ...held.then]
        if (decision.kind === 'move') {
          const before = this.#placements.get(decision.from, unit)
          then.push(...taken(decision.from, unit), ...(before ? this.#held.left(before.value) : []))
          const from = decision.from.slice(0, 8)
          const message = `${unit} moves from lost machine ${from} to ${machine.slice(0, 8)}`
          then.push(
            putEvent(this.#context, {
              kind: 'unit.moved',
              severity: 'warning',
              message,
              unit,
              machine,
            }),
          )
        }
        return { compare, then }
      }
      default:
        return assertNever(decision)
    }
  }

  #preempted(unit: UnitName, machine: MachineId, by: UnitName): Operation {
    const message = `${unit} leaves ${machine.slice(0, 8)}: ${by} has a higher priority and needs its room`
    const event = { kind: 'unit.preempted', severity: 'warning', message, unit, machine } as const
    return putEvent(this.#context, event)
  }

  /** Placements that stay where they are, whose unit is wanted in another way than before. */
  #updates(decisions: readonly Decision[]): Part[] {
    const decided = new Set(decisions.map(({ unit, machine }) => `${machine}/${unit}`))
    const parts: Part[] = []
    for (const placed of this.#placements.items.values()) {
      const { machine, unit, desired, hash } = placed.value
      const record = this.#units.get(unit)?.value
      if (record === undefined || record.desired === 'inactive') continue
      const [name, at] = [unitName(unit), machineId(machine)]
      if (placed.value.fence?.leaving === true || decided.has(`${machine}/${unit}`)) continue
      const held = this.#held.missing(name, at, this.#needsOf(name))
      const isSame = record.desired === desired && record.hash === hash
      if (isSame && held === undefined) continue
      const guards = [guard(placed.key, placed), guard(units.key(unit), this.#units.get(unit))]
      parts.push({
        compare: [...guards, ...(held?.compare ?? [])],
        then: [placements.put(this.#record(name, at), machine, unit), ...(held?.then ?? [])],
      })
    }
    return parts
  }

  #record(unit: UnitName, machine: MachineId): PlacementRecord {
    const item = present(this.#units.get(unit), 'the record of a unit')
    const { desired, hash } = item.value
    assert(desired !== 'inactive', 'what is placed is wanted')
    const placedMs = this.#context.clock.wallMs()
    const unitRules = this.#rules.of(item)
    const needs = unitRules?.needs ?? noNeeds
    const { memoryBytes, nanoCpus } = needs
    return {
      v: 1,
      unit,
      machine,
      desired,
      hash,
      placedMs,
      ...fenceOf(unitRules?.rules),
      ...(!isFree(needs) && { needs: { memoryBytes, nanoCpus, ports: [...needs.ports] } }),
    }
  }

  #needsOf(unit: UnitName): Needs | undefined {
    const item = this.#units.get(unit)
    return item === undefined ? undefined : this.#rules.of(item)?.needs
  }

  #snapshot(): Snapshot {
    const items = new Map([...this.#units.items.values()].map((item) => [item.value, item]))
    return snapshotOf(
      {
        machines: this.#machines.values,
        units: items.keys(),
        placements: this.#placements.values,
        isFenced: (placement) => this.#fences.isOver(placement),
        crashOf: (unit) => this.#crashes.get(unit)?.value,
        ...this.#held.records,
      },
      (record) => this.#rules.of(present(items.get(record), 'the record of a unit')),
      this.#context.clock.wallMs(),
    )
  }
}

const guard = (key: string, seen: Stored<unknown> | undefined): Compare => ({
  target: 'modRevision',
  key,
  is: '=',
  to: seen?.modRevision ?? 0,
})
