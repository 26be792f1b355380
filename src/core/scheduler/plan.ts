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
import { Availability } from './availability.ts'
import { compareFor, takesTheFirst } from './choice.ts'
import { FleetState, type MachineState } from './fleet-state.ts'
import { OldCopies, withoutLeaving } from './old-copies.ts'
import { preemptionFor } from './preemption.ts'
import { attributeObstacle, obstacleOf, victimsOf } from './rules.ts'
import type {
  Decision,
  ObstacleCounts,
  Plan,
  SchedulerUnit,
  Snapshot,
  UnplaceReason,
} from './types.ts'

/** Peers and replacers that need more rounds to find their places wait for the next plan. */
const maxRounds = 64

export function plan(snapshot: Snapshot): Plan {
  const planner = new Planner(snapshot)
  planner.clear()
  planner.place()
  return planner.result()
}

class Planner {
  readonly #state: FleetState
  readonly #copies: OldCopies
  readonly #snapshot: Snapshot
  readonly #wanted: readonly SchedulerUnit[]
  readonly #decisions: Decision[] = []
  readonly #unplaced = new Map<UnitName, ObstacleCounts>()
  /** `machine/unit`, of units that are on several machines. */
  readonly #running: Set<string>
  /** `machine/unit`, of units that are to go elsewhere. */
  readonly #moving: Set<string>
  readonly #available: Availability
  #movesLeft: number

  constructor(snapshot: Snapshot) {
    this.#running = new Set(
      snapshot.placements.flatMap(({ unit, machine, runs }) =>
        runs === true ? [`${machine}/${unit}`] : [],
      ),
    )
    this.#moving = new Set(
      snapshot.placements.flatMap(({ unit, machine, moves }) =>
        moves === true ? [`${machine}/${unit}`] : [],
      ),
    )
    this.#available = new Availability(snapshot)
    this.#snapshot = snapshot
    this.#movesLeft = snapshot.movesMax ?? Infinity
    this.#state = new FleetState(withoutLeaving(snapshot))
    this.#copies = new OldCopies(snapshot)
    this.#wanted = snapshot.units
      .filter((unit) => unit.wanted)
      .toSorted(
        (a, b) =>
          b.rules.priority - a.rules.priority || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
      )
  }

  /** Takes away what may not stay: unwanted, unknown, or against a rule. */
  clear(): void {
    const wanted = new Map(this.#wanted.map((unit) => [unit.name, unit]))
    const known = new Map(this.#snapshot.units.map((unit) => [unit.name, unit]))
    for (const { unit: name, machine, fence } of sortedPlacements(this.#snapshot)) {
      const state = this.#state.machines.get(machine)
      const unit = known.get(name)
      if (fence?.isLeaving === true) {
        this.#leave(name, machine, { kind: 'stopped' })
      } else if (state === undefined || unit === undefined || !wanted.has(name)) {
        const kind = wanted.has(name) ? 'machineGone' : 'notWanted'
        const left = this.#leave(name, machine, { kind })
        if (left && state !== undefined && unit !== undefined) this.#state.remove(unit, machine)
      }
    }
    this.#clearDuplicates()
    this.#clearDrained()
    this.#settle()
  }

  /** A unit that runs on a ready machine is nowhere else, unless it is global. */
  #clearDuplicates(): void {
    for (const unit of this.#wanted) {
      const places = [...this.#state.placesOf(unit.name)].toSorted()
      if (unit.rules.global || places.length < 2) continue
      const open = places.filter((id) => this.#isOpen(unit, id))
      const lasting = open.find((id) => this.#runs(unit, id)) ?? open[0]
      const keep = lasting ?? this.#bestOfClosed(unit, places)
      const replaced = lasting === undefined ? undefined : this.#replacedBy(unit, lasting, places)
      for (const machine of places) {
        if (machine !== keep && machine !== replaced) {
          this.#unplace(unit, machine, { kind: this.#whyGoes(unit, machine) })
        }
      }
    }
  }

  /** Where none is there to stay: what runs, of those that may wait for a replacement. */
  #bestOfClosed(unit: SchedulerUnit, places: readonly MachineId[]): MachineId | undefined {
    const ready = places.filter((id) => this.#statusOf(id) === 'ready')
    const waiting = ready.filter((id) => this.#leaveOf(unit, id) !== 'now')
    return waiting.find((id) => this.#runs(unit, id)) ?? waiting[0] ?? ready[0] ?? places[0]
  }

  #runs(unit: SchedulerUnit, machine: MachineId): boolean {
    return this.#running.has(`${machine}/${unit.name}`)
  }

  /** The place that it is to leave, for as long as it does not run at `lasting`. */
  #replacedBy(
    unit: SchedulerUnit,
    lasting: MachineId,
    places: readonly MachineId[],
  ): MachineId | undefined {
    if (this.#runs(unit, lasting)) return undefined
    return places.find((id) => this.#leaveOf(unit, id) === 'replacing')
  }

  /** Whether it is to leave a ready machine: because that drains, or because it moves itself. */
  #leaveOf(unit: SchedulerUnit, id: MachineId): 'none' | 'replacing' | 'now' {
    const machine = this.#state.machines.get(id)?.machine
    if (machine?.status !== 'ready') return 'none'
    const moves = machine.drain === 'none' && this.#moving.has(`${id}/${unit.name}`)
    return moves ? 'replacing' : machine.drain
  }

  #isMoving(unit: SchedulerUnit): boolean {
    return [...this.#state.placesOf(unit.name)].some((id) => this.#moving.has(`${id}/${unit.name}`))
  }

  #whyGoes(unit: SchedulerUnit, id: MachineId): 'drained' | 'moved' | 'duplicate' {
    if (this.#leaveOf(unit, id) === 'none') return 'duplicate'
    return this.#moving.has(`${id}/${unit.name}`) ? 'moved' : 'drained'
  }

  /** It is there to stay. */
  #isOpen(unit: SchedulerUnit, id: MachineId): boolean {
    return this.#statusOf(id) === 'ready' && this.#leaveOf(unit, id) === 'none'
  }

  /** Time is up for a machine that drains: what is left there goes, but for global units. */
  #clearDrained(): void {
    for (const unit of this.#wanted) {
      if (unit.rules.global) continue
      for (const machine of [...this.#state.placesOf(unit.name)]) {
        if (this.#leaveOf(unit, machine) === 'now')
          this.#unplace(unit, machine, { kind: 'drained' })
      }
    }
  }

  /** A peer that leaves takes its followers along, and they theirs, to the last: each round ends one. */
  #settle(): void {
    while (this.#clearBroken());
  }

  #statusOf(id: MachineId): 'ready' | 'lost' | undefined {
    return this.#state.machines.get(id)?.machine.status
  }

  /** True when something was taken away. */
  #clearBroken(): boolean {
    let changed = false
    for (const unit of this.#wanted) {
      for (const machine of [...this.#state.placesOf(unit.name)]) {
        const state = this.#state.machines.get(machine) as MachineState
        if (state.machine.status === 'lost') continue
        const obstacle = this.#obstacle(unit, state)
        if (obstacle === undefined) continue
        this.#unplace(unit, machine, { kind: 'obstacle', obstacle })
        changed = true
      }
    }
    return changed
  }

  /** Who leaves for a replacer makes room, for global units too: hence both passes, again and again. */
  place(): void {
    for (let round = 0; round < maxRounds; round += 1) {
      const globals = this.#placeGlobals()
      const others = this.#placeOthers()
      if (!globals && !others) return
    }
  }

  /**
   * A global unit runs on every ready machine whose attributes and neighbours allow it. True when one
   * was placed.
   */
  #placeGlobals(): boolean {
    let placed = false
    for (const unit of this.#wanted) {
      if (unit.rules.global && this.#placeGlobal(unit)) placed = true
    }
    return placed
  }

  #placeGlobal(unit: SchedulerUnit): boolean {
    let placed = false
    // Placing changes the order that candidates are in, so the ids are taken first.
    const ids = this.#state.candidates.map((state) => state.machine.id).toSorted()
    const counts: Record<string, number> = {}
    for (const id of ids) {
      const state = this.#state.machines.get(id) as MachineState
      if (state.units.has(unit.name)) continue
      const obstacle = this.#obstacle(unit, state)
      if (obstacle === undefined) {
        this.#place(unit, state)
        placed = true
      } else counts[obstacle.kind] = (counts[obstacle.kind] ?? 0) + 1
    }
    if (this.#state.placesOf(unit.name).size > 0) this.#unplaced.delete(unit.name)
    else this.#unplaced.set(unit.name, counts)
    return placed
  }

  /** True when one was placed. */
  #placeOthers(): boolean {
    let placed = false
    for (const unit of this.#wanted) {
      if (!unit.rules.global && this.#needsPlace(unit) && this.#placeOne(unit)) placed = true
    }
    return placed
  }

  result(): Plan {
    return { decisions: this.#decisions, unplaced: this.#unplaced }
  }

  #needsPlace(unit: SchedulerUnit): boolean {
    for (const machine of this.#state.placesOf(unit.name)) {
      if (this.#isOpen(unit, machine)) return false
    }
    return true
  }

  /** True when a machine was found. */
  #placeOne(unit: SchedulerUnit): boolean {
    if (this.#movesLeft < 1 && this.#strandedOn(unit) !== undefined) {
      this.#unplaced.set(unit.name, { braked: 1 })
      return false
    }
    const [old, ...more] = this.#copies.of(unit.name)
    const yields = old !== undefined && more.length === 0 && this.#mayYield(unit, old)
    if (old !== undefined && !yields) {
      this.#unplaced.set(unit.name, { oldCopy: 1 })
      return false
    }
    const counts: Record<string, number> = {}
    const first = takesTheFirst(unit)
    let best: MachineState | undefined
    for (const state of this.#state.candidates) {
      // It is on this one, which drains, and looks for another.
      const isHere = state.units.has(unit.name)
      const obstacle = isHere ? { kind: 'draining' as const } : this.#obstacle(unit, state)
      if (obstacle !== undefined) counts[obstacle.kind] = (counts[obstacle.kind] ?? 0) + 1
      else if (best === undefined || compareFor(unit, this.#state, state, best) < 0) best = state
      if (first && best !== undefined) break
    }
    best ??= this.#preempt(unit, counts)
    if (best === undefined) {
      this.#unplaced.set(unit.name, counts)
      return false
    }
    this.#unplaced.delete(unit.name)
    // Its replacement comes once it has stopped, and not before as it does for others.
    if (yields) this.#unplace(unit, old, { kind: this.#whyGoes(unit, old) })
    else this.#place(unit, best)
    return true
  }

  /** It is still on a machine that it is to leave, and enough of its kind run without it. */
  #mayYield(unit: SchedulerUnit, machine: MachineId): boolean {
    const isThere = this.#state.placesOf(unit.name).has(machine)
    const leaves = this.#leaveOf(unit, machine)
    return isThere && leaves !== 'none' && (leaves === 'now' || this.#available.mayGo(unit))
  }

  /** The machine where units of lower priority have made room, if there is one. */
  #preempt(unit: SchedulerUnit, counts: ObstacleCounts): MachineState | undefined {
    // Nobody yields to who is well where he is.
    if (this.#isMoving(unit)) return undefined
    const isShort = (counts.memoryBytes ?? 0) + (counts.nanoCpus ?? 0) + (counts.port ?? 0) > 0
    const found = isShort ? preemptionFor(unit, this.#state, this.#available) : undefined
    if (found === undefined) return undefined
    for (const victim of found.victims) {
      this.#unplace(victim, found.state.machine.id, { kind: 'preempted', by: unit.name })
    }
    this.#settle()
    return found.state
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
    const from = unit.rules.global ? undefined : this.#strandedOn(unit)
    if (from === undefined) this.#decisions.push({ kind: 'place', unit: unit.name, machine })
    else {
      this.#state.remove(unit, from)
      this.#movesLeft -= 1
      this.#decisions.push({ kind: 'move', unit: unit.name, from, machine })
    }
    this.#state.place(unit, machine)
    // Units that followed a victim follow it away.
    if (unit.rules.replaces.length > 0) this.#settle()
  }

  /** The lost machine that still has the unit, if one does. */
  #strandedOn(unit: SchedulerUnit): MachineId | undefined {
    for (const machine of this.#state.placesOf(unit.name)) {
      if (this.#statusOf(machine) === 'lost') return machine
    }
    return undefined
  }

  #unplace(unit: SchedulerUnit, machine: MachineId, reason: UnplaceReason): void {
    if (!this.#leave(unit.name, machine, reason)) return
    this.#state.remove(unit, machine, { cedes: cedesRoom(reason) })
    this.#available.went(unit, machine)
  }

  /** False when it cannot be taken away yet. */
  #leave(unit: UnitName, machine: MachineId, reason: UnplaceReason): boolean {
    const kind = this.#copies.leave({ unit, machine })
    if (kind === 'wait') return false
    this.#decisions.push({ kind, unit, machine, reason })
    // Should it come back there, that is another placement.
    this.#running.delete(`${machine}/${unit}`)
    this.#moving.delete(`${machine}/${unit}`)
    return true
  }
}

/** Who is replaced or driven away makes way for a unit that is placed in the same plan. */
const cedesRoom = (reason: UnplaceReason): boolean =>
  reason.kind === 'preempted' || (reason.kind === 'obstacle' && reason.obstacle.kind === 'replaced')

/** By unit, then machine, so that the order in the store does not matter. */
function sortedPlacements(snapshot: Snapshot): Snapshot['placements'] {
  return snapshot.placements.toSorted((a, b) =>
    a.unit === b.unit ? (a.machine < b.machine ? -1 : 1) : a.unit < b.unit ? -1 : 1,
  )
}
