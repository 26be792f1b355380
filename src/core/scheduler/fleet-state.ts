/**
 * The cluster as the store tells it and as planning changes it: who is where, what has no place, and what
 * must be looked at again.
 *
 * Invariants: a unit is listed on a machine exactly when that machine is among the unit's own places;
 * each set of `standing` holds exactly the units that it says; a placement whose unit or machine is unknown
 * is `loose`.
 */
import { assert, present } from '../../base/assert.ts'
import type { MachineId, UnitName } from '../../base/ids.ts'
import { Drains } from './drains.ts'
import { changesRanks, Followers } from './followers.ts'
import { counted, Kin, kindOf, Kinds, less } from './kinds.ts'
import { KnownUnit } from './known-unit.ts'
import { Leftovers } from './leftovers.ts'
import { MachineTable } from './machine-table.ts'
import type { MachineState } from './machine-state.ts'
import { OldCopies } from './old-copies.ts'
import { PatternIndex } from './pattern-index.ts'
import { PlaceSet } from './place-set.ts'
import { Replacements } from './replacements.ts'
import { Room } from './room.ts'
import { Standing } from './standing.ts'
import type {
  RenewedPlace,
  SchedulerLeaving,
  SchedulerMachine,
  SchedulerPlacement,
  SchedulerUnit,
} from './types.ts'
import { Volumes } from './volumes.ts'

export class FleetState {
  readonly machines = new Map<MachineId, MachineState>()
  readonly table: MachineTable
  readonly standing = new Standing()
  readonly drains = new Drains()
  /** By `machine/unit`. */
  readonly loose = new Map<string, SchedulerPlacement>()
  /** By `machine/unit`: told to stop there for good, they have no place any more. */
  readonly stopping = new Map<string, SchedulerPlacement>()
  readonly leftovers = new Leftovers()
  readonly copies = new OldCopies((id) => this.machines.get(id)?.machine.status === 'ready')
  /** By which a unit may refuse another. */
  readonly patterns = new PatternIndex()
  /** Machines on which a rule may be broken. */
  readonly suspects = new Set<MachineState>()
  readonly #units = new Map<UnitName, KnownUnit>()
  readonly #kinds = new Kinds()
  readonly #kin = new Kin()
  /** Units that are to leave the machine where they are, their replacement first. */
  readonly movers = new PlaceSet()
  /** By `machine/unit`: as `SchedulerPlacement.renewedFrom`. */
  readonly renewed = new Map<string, RenewedPlace>()
  readonly volumes = new Volumes()
  readonly followers = new Followers()
  #replacements: Replacements | undefined

  constructor() {
    this.table = new MachineTable(this.machines)
  }

  get replacements(): Replacements {
    this.#replacements ??= new Replacements([...this.#units.values()].map(({ unit }) => unit))
    return this.#replacements
  }

  /** Ready machines, the one to be tried first at the front. */
  get candidates(): readonly MachineState[] {
    return this.table.inOrder()
  }

  unit(name: UnitName): SchedulerUnit | undefined {
    return this.#units.get(name)?.unit
  }

  placesOf(unit: string): ReadonlySet<MachineId> {
    return this.#units.get(unit as UnitName)?.places ?? nowhere
  }

  /** How many others of the unit's kind are on ready machines with the same value of the label `key`. */
  kindred(unit: UnitName, key: string, { machine }: MachineState): number {
    return this.kindredByValue(unit, key).get(machine.metadata[key]) ?? 0
  }

  /** The unit and, if it is an instance, all of its template. */
  kinOf(name: UnitName): Iterable<UnitName> {
    return this.#kin.of(name)
  }

  /** Something is to leave a machine before it must. */
  get isAnyMoving(): boolean {
    return this.drains.areAny || this.movers.size > 0
  }

  isMoving({ name }: SchedulerUnit): boolean {
    for (const id of this.placesOf(name)) {
      if (this.movers.has(name, id) && this.#stateOf(id).machine.status === 'ready') return true
    }
    return false
  }

  /** The same for each value that there is one with. A unit that is no instance has no others of its kind. */
  kindredByValue(unit: UnitName, key: string): ReadonlyMap<string | undefined, number> {
    const kind = kindOf(unit)
    if (kind === undefined) return new Map()
    const counts = this.#kinds.byValue(kind, key, this.#readyMachinesOf(this.kinOf(unit)))
    return this.placesOf(unit).size === 0
      ? counts
      : less(counts, counted(this.#readyMachinesOf([unit]), key))
  }

  /** One for each placement. */
  *#readyMachinesOf(units: Iterable<UnitName>): Generator<SchedulerMachine> {
    for (const name of units) {
      for (const id of this.placesOf(name)) {
        const { machine } = this.#stateOf(id)
        if (machine.status === 'ready') yield machine
      }
    }
  }

  setMachine(machine: SchedulerMachine): void {
    const known = this.machines.get(machine.id)
    if (known === undefined) {
      const [units, guarded] = [new Map<UnitName, SchedulerUnit>(), new Set<SchedulerUnit>()]
      const alone = new Set([machine.id])
      const added = { machine, units, guarded, room: new Room(), alone, rank: -1 }
      this.machines.set(machine.id, added)
      this.table.forgetRanks()
      this.drains.sort(added)
      for (const name of this.leftovers.saidOf(machine.id)) this.leftovers.hold(name, added)
      this.#adopt((placement) => placement.machine === machine.id)
      return
    }
    if (known.machine === machine) return
    this.table.attributesChanged(known.machine, machine)
    this.#change(known, () => {
      for (const unit of known.units.values()) this.#count(this.#knownOf(unit), known, 'remove')
      known.machine = machine
      for (const unit of known.units.values()) this.#count(this.#knownOf(unit), known, 'put')
    })
    this.drains.sort(known)
    this.suspects.add(known)
    for (const unit of known.units.values()) this.#sort(this.#knownOf(unit))
  }

  removeMachine(id: MachineId): void {
    const state = this.machines.get(id)
    if (state === undefined) return
    for (const unit of state.units.values()) {
      this.#take(unit, state, true)
      this.#loosen(unit.name, id)
    }
    this.machines.delete(id)
    this.suspects.delete(state)
    this.drains.forget(state)
    this.leftovers.forgetMachine(state)
    this.table.forgetRanks()
  }

  setUnit(unit: SchedulerUnit): void {
    const known = this.#units.get(unit.name)
    if (known?.unit === unit) return
    this.#relationsChanged(known?.unit, unit)
    for (const pattern of patternsOf(unit)) this.patterns.add(pattern)
    if (known === undefined) {
      const added = new KnownUnit(unit)
      this.#units.set(unit.name, added)
      this.#kin.add(unit.name, added.kind)
      this.#adopt((placement) => placement.unit === unit.name)
      this.#sort(added)
    } else {
      const states = [...known.places].map((id) => this.#stateOf(id))
      for (const state of states) this.#take(known.unit, state, true)
      this.#unsort(known)
      for (const pattern of patternsOf(known.unit)) this.patterns.delete(pattern)
      known.unit = unit
      for (const state of states) this.#put(unit, state)
      for (const state of states) this.suspects.add(state)
      this.#sort(known)
    }
  }

  removeUnit(name: UnitName): void {
    const known = this.#units.get(name)
    if (known === undefined) return
    this.#relationsChanged(known.unit, undefined)
    for (const id of known.places) {
      this.#takeAway(known.unit, this.#stateOf(id), true)
      this.#holdAt(name, id)
      this.#loosen(name, id)
    }
    this.#unsort(known)
    for (const pattern of patternsOf(known.unit)) this.patterns.delete(pattern)
    this.#units.delete(name)
    this.#kin.delete(name, known.kind)
  }

  /** What the store says; nothing, where that is known. */
  setPlacement(placement: SchedulerPlacement): void {
    const { unit: name, machine, fence, moves, renewedFrom: before } = placement
    const key = `${machine}/${name}`
    this.copies.set(placement)
    if (fence?.isLeaving === true) {
      this.#forgetPlacement(placement)
      this.stopping.set(key, placement)
      return
    }
    this.stopping.delete(key)
    if (before === undefined) this.renewed.delete(key)
    else this.renewed.set(key, { unit: name, machine, before })
    const moved = this.movers.has(name, machine)
    this.movers.set(name, machine, moves === true)
    this.#settleDown(placement)
    const known = this.#units.get(name)
    if (moved !== (moves === true) && known !== undefined) this.#sort(known)
  }

  #settleDown({ unit: name, machine }: SchedulerPlacement): void {
    const state = this.machines.get(machine)
    const known = this.#units.get(name)
    if (state === undefined || known === undefined) this.#loosen(name, machine)
    else if (!state.units.has(name)) {
      this.#put(known.unit, state)
      this.suspects.add(state)
    }
  }

  removePlacement(placement: SchedulerPlacement): void {
    this.copies.delete(placement)
    this.#forgetPlacement(placement)
  }

  /** The store says, too, whether it holds its room. */
  #forgetPlacement({ unit, machine }: SchedulerPlacement): void {
    this.forget(unit, machine, { cedes: true })
    this.#holdAt(unit, machine)
  }

  /** It is not placed there any more, wherever that was noted. */
  forget(name: UnitName, machine: MachineId, how = { cedes: false }): void {
    this.loose.delete(`${machine}/${name}`)
    this.stopping.delete(`${machine}/${name}`)
    this.movers.set(name, machine, false)
    const unit = this.machines.get(machine)?.units.get(name)
    if (unit !== undefined) this.remove(unit, machine, how)
    this.renewed.delete(`${machine}/${name}`)
  }

  /** What the store says of what was taken off a machine; it holds no room where it is placed again. */
  setLeaving(leaving: SchedulerLeaving): void {
    this.leftovers.say(leaving)
    this.#holdAt(leaving.unit, leaving.machine)
  }

  removeLeaving(leaving: Pick<SchedulerLeaving, 'unit' | 'machine'>): void {
    this.leftovers.unsay(leaving)
    this.#holdAt(leaving.unit, leaving.machine)
  }

  #holdAt(name: UnitName, machine: MachineId): void {
    const state = this.machines.get(machine)
    if (state !== undefined) this.#change(state, () => this.leftovers.hold(name, state))
  }

  /** The caller has seen that no rule is against it. */
  place(unit: SchedulerUnit, machine: MachineId): void {
    const state = this.#stateOf(machine)
    assert(!state.units.has(unit.name), 'a unit is placed on a machine once')
    this.#put(unit, state)
  }

  /** `cedes`: its room is for whoever it makes way for, and not held until it is gone. */
  remove(unit: SchedulerUnit, machine: MachineId, { cedes } = { cedes: false }): void {
    const state = this.#stateOf(machine)
    assert(state.units.has(unit.name), 'only a placed unit is taken away')
    this.movers.set(unit.name, machine, false)
    const wasRenewed = this.renewed.delete(`${machine}/${unit.name}`)
    this.#takeAway(unit, state, cedes)
    if (wasRenewed) this.volumes.unmake(unit, machine)
  }

  #takeAway(unit: SchedulerUnit, state: MachineState, cedes: boolean): void {
    this.#take(unit, state, cedes || state.machine.status === 'lost')
    this.suspects.add(state)
  }

  #stateOf(id: MachineId): MachineState {
    return present(this.machines.get(id), 'the machine of a placement')
  }

  #put(unit: SchedulerUnit, state: MachineState): void {
    this.#change(state, () => {
      state.units.set(unit.name, unit)
      state.room.take(unit)
      if (unit.rules.conflicts.length > 0 || unit.rules.replaces.length > 0) state.guarded.add(unit)
    })
    const known = this.#knownOf(unit)
    this.#count(known, state, 'put')
    known.add(state.machine.id, state.alone)
    this.#sort(known)
  }

  #take(unit: SchedulerUnit, state: MachineState, cedes: boolean): void {
    this.#change(state, () => {
      state.units.delete(unit.name)
      state.guarded.delete(unit)
      if (cedes) state.room.giveBack(unit)
      else state.room.leave(unit)
    })
    if (!cedes) this.leftovers.note(unit.name, state)
    const known = this.#knownOf(unit)
    this.#count(known, state, 'remove')
    known.delete(state.machine.id)
    this.#sort(known)
  }

  #knownOf({ name }: SchedulerUnit): KnownUnit {
    return present(this.#units.get(name), 'a known unit')
  }

  /** Whatever changes a machine does it here, so that its place in the order follows. */
  #change(state: MachineState, change: () => void): void {
    this.table.leave(state)
    change()
    this.table.enter(state)
  }

  /** On a lost machine nothing counts; its volumes are where their records say, which people may take back. */
  #count({ unit, kind }: KnownUnit, { machine }: MachineState, how: 'put' | 'remove'): void {
    if (machine.status !== 'ready') return
    if (kind !== undefined) this.#kinds[how](kind, machine)
    this.volumes[how === 'put' ? 'use' : 'leave'](unit, machine.id)
  }

  /** Puts a unit among those that it belongs to now. */
  #sort(known: KnownUnit): void {
    const { unit, places, standing } = known
    const seen = { places: places.size, hasHome: this.#hasHome(unit, places) }
    known.standing = this.standing.sort(unit, seen, standing)
  }

  #unsort(known: KnownUnit): void {
    this.standing.forget(known.unit)
    known.standing = 0
  }

  #hasHome({ name }: SchedulerUnit, places: ReadonlySet<MachineId>): boolean {
    for (const id of places) {
      const { status, drain } = this.#stateOf(id).machine
      if (status === 'ready' && drain === 'none' && !this.movers.has(name, id)) return true
    }
    return false
  }

  #loosen(unit: UnitName, machine: MachineId): void {
    this.loose.set(`${machine}/${unit}`, { unit, machine })
  }

  #adopt(isOurs: (placement: SchedulerPlacement) => boolean): void {
    if (this.loose.size === 0) return
    // What still lacks the other one comes back: not while it is gone through.
    for (const [key, placement] of [...this.loose]) {
      if (!isOurs(placement)) continue
      this.loose.delete(key)
      this.#settleDown(placement)
    }
  }

  #relationsChanged(before: SchedulerUnit | undefined, after: SchedulerUnit | undefined): void {
    const { name } = present(after ?? before, 'a unit that changes')
    const isVictim = this.#replacements?.isVictim(name) === true
    this.#replacementsChanged(before, after)
    this.followers.changed(before, after)
    if (changesRanks(before, after, isVictim)) this.table.forgetLooks()
  }

  /** Circles may open and close far from the unit: then everything is looked at again. */
  #replacementsChanged(before: SchedulerUnit | undefined, after: SchedulerUnit | undefined): void {
    const known = this.#replacements
    if (known === undefined || before?.rules === after?.rules) return
    const unit = present(after ?? before, 'a unit that changes')
    const has = (what: 'replaces' | 'machineOf'): boolean =>
      [before, after].some((each) => (each?.rules[what].length ?? 0) > 0)
    const isNewName = before === undefined || after === undefined
    const concerns =
      has('replaces') ||
      (!known.areNone && (has('machineOf') || (isNewName && known.isVictim(unit.name))))
    if (!concerns) return
    this.#replacements = undefined
    this.table.forgetLooks()
    for (const state of this.machines.values()) this.suspects.add(state)
  }
}

const patternsOf = ({ rules }: SchedulerUnit): readonly string[] =>
  rules.replaces.length === 0 ? rules.conflicts : [...rules.conflicts, ...rules.replaces]

const nowhere: ReadonlySet<MachineId> = new Set()
