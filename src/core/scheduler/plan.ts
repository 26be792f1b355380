/**
 * Plans where units go: fleet's two passes (fleet `engine/reconciler.go`), repeated until
 * nothing changes, so that a unit and the peer it follows are placed by one plan. Pure: the same
 * snapshot gives the same plan.
 *
 * Where fleet is left behind: what was on a lost machine stays its own until another machine can
 * take it, so that a machine that comes back finds its work still its own; and the victim of
 * `Replaces` goes only where it may run, or waits.
 */
import { assert } from '../../base/assert.ts'
import type { MachineId, UnitName } from '../../base/ids.ts'
import { atOnce } from '../../base/parts.ts'
import { Availability } from './availability.ts'
import { hurriedIn, lowestFirst, renewedIn, unwelcomeIn } from './clearing.ts'
import { fleetInParts } from './fleet-of.ts'
import type { FleetState } from './fleet-state.ts'
import type { MachineState } from './machine-state.ts'
import { byTurn, WaitingLine } from './order.ts'
import { isShortOfRoom, type Preemption } from './preemption.ts'
import { Refusals } from './refusals.ts'
import { attributeObstacle, obstacleOf, renewalObstacle, victimsOf } from './rules.ts'
import { bestFor, lostPlaceOf } from './search.ts'
import { Stays } from './stays.ts'
import type {
  Decision,
  Obstacle,
  ObstacleCounts,
  Plan,
  SchedulerUnit,
  Snapshot,
  UnplaceReason,
} from './types.ts'

/** Peers and replacers that need more rounds to find their places wait for the next plan. */
const maxRounds = 64
/** So many machines may refuse a unit before it is looked up whether all do. */
const patience = 16

export const plan = (snapshot: Snapshot): Plan => atOnce(planInParts(snapshot))

/** As `plan`; yields where it may be left for a while. The snapshot is not to change meanwhile. */
export function* planInParts(snapshot: Snapshot): Generator<undefined, Plan> {
  const fleet = yield* fleetInParts(snapshot)
  const kept = {
    fleet,
    refusals: new Refusals(fleet),
    unplaced: new Map<UnitName, ObstacleCounts>(),
  }
  const runs = new Map(
    snapshot.placements.flatMap((each) =>
      each.runs === undefined ? [] : [[`${each.machine}/${each.unit}`, each.runs] as const],
    ),
  )
  return yield* planning(kept, { runs, movesMax: snapshot.movesMax })
}

/** What is the same from one plan to the next, but for what has changed. */
export interface Kept {
  readonly fleet: FleetState
  readonly refusals: Refusals
  readonly unplaced: Map<UnitName, ObstacleCounts>
}

/** What holds for one plan alone. */
export interface Circumstances {
  /** As `SchedulerPlacement.runs`, by `machine/unit`. */
  readonly runs: ReadonlyMap<string, boolean>
  /** As in `Snapshot`. */
  readonly movesMax: number | undefined
}

/** `kept` is then as the cluster will be with the plan. What it costs grows with what has changed. */
export const planFrom = (kept: Kept, circumstances: Circumstances): Plan =>
  atOnce(planning(kept, circumstances))

function* planning(kept: Kept, circumstances: Circumstances): Generator<undefined, Plan> {
  kept.fleet.volumes.planBegins()
  const planner = new Planner(kept, circumstances)
  planner.clear()
  yield* planner.place()
  return planner.result()
}

class Planner {
  readonly #state: FleetState
  readonly #refusals: Refusals
  readonly #decisions: Decision[] = []
  readonly #unplaced: Map<UnitName, ObstacleCounts>
  /** By `machine/unit`: whether it runs there, where somebody has asked. */
  readonly #runs: Map<string, boolean>
  readonly #available: Availability
  readonly #stays: Stays
  #movesLeft: number
  #waitsForRoom = false

  constructor({ fleet, refusals, unplaced }: Kept, { runs, movesMax }: Circumstances) {
    this.#state = fleet
    this.#refusals = refusals
    this.#unplaced = unplaced
    this.#runs = new Map(runs)
    this.#available = new Availability(fleet, this.#runs)
    this.#stays = new Stays(fleet, this.#runs)
    this.#movesLeft = movesMax ?? Infinity
  }

  /** Takes away what may not stay: unwanted, unknown, or against a rule. */
  clear(): void {
    for (const { unit: name, machine, fence } of unwelcomeIn(this.#state)) {
      if (fence?.isLeaving === true) {
        if (this.#leave(name, machine, { kind: 'stopped' })) this.#state.forget(name, machine)
        continue
      }
      const kind = this.#state.unit(name)?.wanted === true ? 'machineGone' : 'notWanted'
      if (this.#leave(name, machine, { kind })) this.#state.forget(name, machine)
    }
    this.#clearDuplicates()
    this.#clearDrained()
    this.#clearRenewed()
    this.#settle()
  }

  /** A unit that runs on a ready machine is nowhere else, unless it is global. */
  #clearDuplicates(): void {
    for (const unit of [...this.#state.standing.several].toSorted(byTurn)) {
      const places = [...this.#state.placesOf(unit.name)].toSorted()
      const open = places.filter((id) => this.#stays.isOpen(unit, id))
      const lasting = open.find((id) => this.#stays.doesRun(unit, id)) ?? open[0]
      const keep = lasting ?? this.#stays.bestOfClosed(unit, places)
      const replaced =
        lasting === undefined ? undefined : this.#stays.replacedBy(unit, lasting, places)
      const isSettled = lasting !== undefined && this.#stays.doesRun(unit, lasting)
      for (const machine of places) {
        // It may run on a lost machine, which may come back.
        const mayComeBack = !isSettled && this.#stays.statusOf(machine) === 'lost'
        if (machine === keep || machine === replaced || mayComeBack) continue
        this.#unplace(unit, machine, { kind: this.#stays.whyGoes(unit, machine) })
      }
    }
  }

  /** Time is up for a machine that drains: what is left there goes, but for global units. */
  #clearDrained(): void {
    for (const { unit, state } of hurriedIn(this.#state)) {
      this.#unplace(unit, state.machine.id, { kind: 'drained' })
    }
  }

  /**
   * Who came to a machine under another file than it has now, and would not have come under this one. Of several the
   * lowest in turn go first, and no more than must.
   */
  #clearRenewed(): void {
    for (const { unit, state, before } of renewedIn(this.#state)) {
      const obstacle = renewalObstacle(unit, before, state, this.#state)
      if (obstacle === undefined) continue
      this.#unplace(unit, state.machine.id, { kind: 'obstacle', obstacle })
    }
  }

  /** A peer that leaves takes its followers along, and they theirs, to the last: each round ends one. */
  #settle(): void {
    while (this.#clearBroken());
  }

  /** True when something was taken away. Only where something has changed can a rule have come to be broken. */
  #clearBroken(): boolean {
    const suspects = [...this.#state.suspects].filter((state) => this.#isBroken(state))
    this.#state.suspects.clear()
    const placed = lowestFirst(suspects)
    // Who may not be there in any case is no neighbour to the others.
    for (const isNeighbours of [false, true]) {
      for (const { unit, state } of placed) {
        const obstacle = state.units.has(unit.name) ? this.#obstacle(unit, state) : undefined
        if (obstacle === undefined || isOfNeighbours(obstacle) !== isNeighbours) continue
        this.#unplace(unit, state.machine.id, { kind: 'obstacle', obstacle })
      }
    }
    return placed.length > 0
  }

  #isBroken(state: MachineState): boolean {
    if (state.machine.status === 'lost') return false
    for (const unit of state.units.values()) {
      if (this.#obstacle(unit, state) !== undefined) return true
    }
    return false
  }

  /** Who leaves for a replacer makes room, for global units too: hence both passes, again and again. */
  *place(): Generator<undefined> {
    for (let round = 0; round < maxRounds; round += 1) {
      const globals = this.#placeGlobals()
      const others = yield* this.#placeOthers()
      if (!globals && !others) return
    }
  }

  /**
   * A global unit runs on every ready machine whose attributes and neighbours allow it. True when one
   * was placed.
   */
  #placeGlobals(): boolean {
    let placed = false
    for (const unit of [...this.#state.standing.globals].toSorted(byTurn)) {
      if (this.#placeGlobal(unit)) placed = true
    }
    return placed
  }

  #placeGlobal(unit: SchedulerUnit): boolean {
    // Until its file said otherwise it was a unit that must never run twice.
    if (this.#state.copies.of(unit.name).size > 0) {
      if (this.#state.placesOf(unit.name).size > 0) this.#unplaced.delete(unit.name)
      else this.#unplaced.set(unit.name, { oldCopy: 1 })
      return false
    }
    let placed = false
    this.#refusals.visitForGlobal(unit, (state) => {
      if (state.units.has(unit.name)) return undefined
      const obstacle = this.#obstacle(unit, state)
      if (obstacle !== undefined) return obstacle.kind
      this.#place(unit, state)
      placed = true
      return undefined
    })
    if (this.#state.placesOf(unit.name).size > 0) this.#unplaced.delete(unit.name)
    else this.#unplaced.set(unit.name, this.#refusals.countsForGlobal(unit))
    return placed
  }

  /** True when one was placed. */
  *#placeOthers(): Generator<undefined, boolean> {
    let placed = false
    const line = new WaitingLine(this.#state.standing.homeless)
    this.#state.standing.becameHomeless = []
    for (let unit = line.next(); unit !== undefined; unit = line.next()) {
      if (this.#state.standing.homeless.has(unit) && this.#placeOne(unit)) placed = true
      yield undefined
      if (this.#state.standing.becameHomeless.length === 0) continue
      line.join(this.#state.standing.becameHomeless, unit)
      this.#state.standing.becameHomeless = []
    }
    return placed
  }

  result(): Plan {
    for (const name of this.#unplaced.keys()) {
      const unit = this.#state.unit(name)
      const waits =
        unit !== undefined &&
        (this.#state.standing.homeless.has(unit) || this.#state.standing.globals.has(unit))
      if (!waits) this.#unplaced.delete(name)
    }
    const [decisions, unplaced] = [this.#decisions, this.#unplaced]
    return { decisions, unplaced, waitsForRoom: this.#waitsForRoom }
  }

  /** True when one was found. */
  #placeOne(unit: SchedulerUnit): boolean {
    if (this.#movesLeft < 1 && lostPlaceOf(unit, this.#state) !== undefined) {
      this.#unplaced.set(unit.name, { braked: 1 })
      return false
    }
    const [old, ...more] = this.#state.copies.of(unit.name)
    const yields = old !== undefined && more.length === 0 && this.#mayYield(unit, old)
    if (old !== undefined && !yields) {
      this.#unplaced.set(unit.name, { oldCopy: 1 })
      return false
    }
    const best =
      this.#search(unit) ?? (yields ? this.#preemption(unit)?.state : this.#preempt(unit))
    if (best === undefined) {
      this.#unplaced.set(unit.name, this.#refusals.countsFor(unit))
      return false
    }
    this.#unplaced.delete(unit.name)
    // Its replacement comes once it has stopped, and not before as it does for others.
    if (!yields) this.#place(unit, best)
    else {
      this.#unplace(unit, old, { kind: this.#stays.whyGoes(unit, old) })
      // Who follows it has no place there without it.
      this.#settle()
    }
    return true
  }

  /** It is still on a machine that it is to leave, and enough of its kind run without it. */
  #mayYield(unit: SchedulerUnit, machine: MachineId): boolean {
    const isThere = this.#state.placesOf(unit.name).has(machine)
    const leaves = this.#stays.leaveOf(unit, machine)
    return isThere && leaves !== 'none' && (leaves === 'now' || this.#available.mayGo(unit))
  }

  #search(unit: SchedulerUnit): MachineState | undefined {
    // Who has found none before most likely finds none now, and what is known of him has only to be brought up to date.
    if (this.#unplaced.has(unit.name) && this.#refusals.isKnownVain(unit)) return undefined
    let refused = 0
    let isVain = false
    return bestFor(unit, this.#state, (state) => {
      if (isVain) return false
      // It may be on a machine that drains, and look for another.
      if (!state.units.has(unit.name) && this.#obstacle(unit, state) === undefined) return true
      refused += 1
      if (refused === patience) isVain = this.#refusals.isKnownVain(unit)
      return false
    })
  }

  /** The machine where units of lower priority have made room, if there is one. */
  #preempt(unit: SchedulerUnit): MachineState | undefined {
    const found = this.#preemption(unit)
    if (found === undefined) return undefined
    for (const victim of found.victims) {
      this.#unplace(victim, found.state.machine.id, { kind: 'preempted', by: unit.name })
    }
    this.#settle()
    return found.state
  }

  #preemption(unit: SchedulerUnit): Preemption | undefined {
    // Nobody yields to who is well where he is, or to who has failed of late and might do so again.
    if (this.#state.isMoving(unit) || unit.crashes !== undefined) return undefined
    const isShort = isShortOfRoom(this.#refusals.countsFor(unit))
    const found = isShort ? this.#refusals.preemption(unit, this.#available) : undefined
    if (found === 'waits') this.#waitsForRoom = true
    return found === 'waits' ? undefined : found
  }

  #obstacle(unit: SchedulerUnit, state: MachineState): ReturnType<typeof obstacleOf> {
    return obstacleOf(unit, state, this.#state)
  }

  #place(unit: SchedulerUnit, state: MachineState): void {
    const machine = state.machine.id
    for (const { victim, pattern } of victimsOf(unit, state, this.#state)) {
      const obstacle = { kind: 'replaced', by: unit.name, pattern } as const
      this.#unplace(victim, machine, { kind: 'obstacle', obstacle })
    }
    assert(attributeObstacle(unit.rules, state) === undefined, 'a plan keeps the hard rules')
    const from = unit.rules.global ? undefined : lostPlaceOf(unit, this.#state)
    if (from === undefined) this.#decisions.push({ kind: 'place', unit: unit.name, machine })
    else {
      const stays = unit.rules.fencing !== 'stop'
      if (stays) this.#state.movers.set(unit.name, from, true)
      else this.#state.remove(unit, from)
      this.#movesLeft -= 1
      this.#decisions.push({ kind: 'move', unit: unit.name, from, machine, stays })
    }
    this.#state.place(unit, machine)
    this.#available.came(unit, machine)
    // Units that followed a victim follow it away.
    if (unit.rules.replaces.length > 0) this.#settle()
  }

  #unplace(unit: SchedulerUnit, machine: MachineId, reason: UnplaceReason): void {
    if (!this.#leave(unit.name, machine, reason)) return
    this.#state.remove(unit, machine, { cedes: cedesRoom(reason) })
    this.#available.went(unit, machine)
  }

  /** False when it cannot be taken away yet. */
  #leave(unit: UnitName, machine: MachineId, reason: UnplaceReason): boolean {
    const kind = this.#state.copies.leave({ unit, machine })
    if (kind === 'wait') return false
    this.#decisions.push({ kind, unit, machine, reason })
    // Should it come back there, that is another placement.
    this.#runs.delete(`${machine}/${unit}`)
    return true
  }
}

const isOfNeighbours = ({ kind }: Obstacle): boolean => kind === 'conflict' || kind === 'replaced'

/** Who is replaced or driven away makes way for a unit that is placed in the same plan. */
const cedesRoom = (reason: UnplaceReason): boolean =>
  reason.kind === 'preempted' || (reason.kind === 'obstacle' && reason.obstacle.kind === 'replaced')
