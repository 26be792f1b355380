/**
 * The cluster as planning changes it: who is where, and the machines in the order in which a
 * unit tries them (fewest units first, then by id).
 *
 * Invariants: `#order` holds exactly the ready machines, sorted by (units, id); a unit is listed
 * on a machine exactly when that machine is in the unit's own set.
 */
import { assert, present } from '../../base/assert.ts'
import type { MachineId, UnitName } from '../../base/ids.ts'
import { Kinds } from './kinds.ts'
import { Replacements } from './replacements.ts'
import { Room } from './room.ts'
import type { SchedulerMachine, SchedulerUnit, Snapshot } from './types.ts'

export interface MachineState {
  readonly machine: SchedulerMachine
  readonly units: Map<UnitName, SchedulerUnit>
  /** Those of `units` whose own patterns may refuse a newcomer. */
  readonly guarded: Set<SchedulerUnit>
  /** What `units` reserve. */
  readonly room: Room
}

export class FleetState {
  readonly machines = new Map<MachineId, MachineState>()
  readonly replacements: Replacements
  readonly #places = new Map<string, Set<MachineId>>()
  readonly #order: MachineState[] = []
  readonly #kinds = new Kinds()
  readonly #holders = new Map<string, Set<MachineId>>()

  constructor(snapshot: Snapshot) {
    this.replacements = new Replacements(snapshot.units)
    const known = new Map(snapshot.units.map((unit) => [unit.name, unit]))
    for (const machine of snapshot.machines) {
      assert(!this.machines.has(machine.id), 'a machine is listed once')
      this.machines.set(machine.id, {
        machine,
        units: new Map(),
        guarded: new Set(),
        room: new Room(),
      })
    }
    for (const placement of snapshot.placements) {
      const unit = known.get(placement.unit)
      const state = this.machines.get(placement.machine)
      if (unit !== undefined && state !== undefined) this.#put(unit, state)
    }
    for (const { name, machine } of snapshot.volumes ?? []) this.#hold(name, machine)
    for (const { unit, machine, needs } of snapshot.leaving ?? []) {
      const state = this.machines.get(machine)
      if (state === undefined || state.units.has(unit)) continue
      state.room.take({ name: unit, needs })
      state.room.leave({ name: unit, needs })
    }
    for (const state of this.machines.values()) {
      if (state.machine.status === 'ready') this.#order.push(state)
    }
    this.#order.sort(byLoad)
  }

  /** Ready machines, the one to be tried first at the front. Do not place while iterating. */
  get candidates(): readonly MachineState[] {
    return this.#order
  }

  /** How many of the unit's kind are on ready machines with the same value of the label `key`. */
  kindred(unit: UnitName, key: string, { machine }: MachineState): number {
    return this.#kinds.count(unit, key, machine)
  }

  /** Where the volume is; nowhere, if it was never made. */
  holdersOf(volume: string): ReadonlySet<MachineId> {
    return this.#holders.get(volume) ?? nowhere
  }

  #hold(volume: string, machine: MachineId): void {
    const there = this.#holders.get(volume)
    if (there === undefined) this.#holders.set(volume, new Set([machine]))
    else there.add(machine)
  }

  placesOf(unit: string): ReadonlySet<MachineId> {
    return this.#places.get(unit) ?? nowhere
  }

  place(unit: SchedulerUnit, machine: MachineId): void {
    const state = present(this.machines.get(machine), 'the machine of a placement')
    assert(!state.units.has(unit.name), 'a unit is placed on a machine once')
    this.#reorder(state, () => this.#put(unit, state))
  }

  /** `cedes`: its room is for whoever it makes way for, and not held until it is gone. */
  remove(unit: SchedulerUnit, machine: MachineId, { cedes = false } = {}): void {
    const state = present(this.machines.get(machine), 'the machine of a placement')
    assert(state.units.has(unit.name), 'only a placed unit is taken away')
    this.#reorder(state, () => {
      state.units.delete(unit.name)
      state.guarded.delete(unit)
      if (cedes || state.machine.status === 'lost') state.room.giveBack(unit)
      else state.room.leave(unit)
      this.#kinds.remove(unit.name, state.machine)
      this.#places.get(unit.name)?.delete(machine)
    })
  }

  #put(unit: SchedulerUnit, state: MachineState): void {
    state.units.set(unit.name, unit)
    state.room.take(unit)
    // On a lost machine the record says it, which people may take back.
    if (state.machine.status === 'ready') {
      for (const volume of unit.needs.volumes ?? []) this.#hold(volume, state.machine.id)
    }
    this.#kinds.put(unit.name, state.machine)
    if (unit.rules.conflicts.length > 0 || unit.rules.replaces.length > 0) state.guarded.add(unit)
    const places = this.#places.get(unit.name)
    if (places === undefined) this.#places.set(unit.name, new Set([state.machine.id]))
    else places.add(state.machine.id)
  }

  /** Moves `state` to its place in the order after `change` has changed how many units it has. */
  #reorder(state: MachineState, change: () => void): void {
    if (state.machine.status !== 'ready') {
      change()
      return
    }
    const from = this.#find(state)
    assert(this.#order[from] === state, 'a ready machine stands at its place in the order')
    this.#order.splice(from, 1)
    change()
    this.#order.splice(this.#find(state), 0, state)
  }

  /** The first position whose machine does not sort before `state`. */
  #find(state: MachineState): number {
    let low = 0
    let high = this.#order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (byLoad(this.#order[middle] as MachineState, state) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

const nowhere: ReadonlySet<MachineId> = new Set()

function byLoad(a: MachineState, b: MachineState): number {
  if (a.units.size !== b.units.size) return a.units.size - b.units.size
  return a.machine.id < b.machine.id ? -1 : a.machine.id > b.machine.id ? 1 : 0
}
