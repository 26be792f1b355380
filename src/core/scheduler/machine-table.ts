/**
 * The machines by rank, which is their position in the order of their ids; the ready ones in the order in
 * which they are tried; and which of them have changed since somebody looked.
 *
 * Invariants: while `#order` is known, each state's rank is its index in `ranked`, and `#order` holds
 * exactly the ready machines, each at the number of its units. A number of `now` that was told stays valid:
 * what it is asked for later is either all that was touched since, or undefined.
 */
import type { MachineId } from '../../base/ids.ts'
import { Attributes } from './attributes.ts'
import { Bits } from './bits.ts'
import { shareOf } from './choice.ts'
import type { MachineState } from './machine-state.ts'
import { LoadOrder } from './load-order.ts'
import type { SchedulerMachine } from './types.ts'

/** So many changes for each machine are remembered: to go through more takes longer than to look at all. */
const rememberedPerMachine = 4

export class MachineTable {
  readonly #machines: ReadonlyMap<MachineId, MachineState>
  #ranked: MachineState[] = []
  #order: LoadOrder | undefined
  #attributes: Attributes | undefined
  #all = new Bits(0)
  #shares = new Float64Array()
  #memoryLeft = new Float64Array()
  #cpusLeft = new Float64Array()
  /** Ranks that were touched, the first of them at `#touchedFrom`. */
  #touched: number[] = []
  #touchedFrom = 0

  constructor(machines: ReadonlyMap<MachineId, MachineState>) {
    this.#machines = machines
  }

  /** Grows with every change. */
  get now(): number {
    this.#settle()
    return this.#touchedFrom + this.#touched.length
  }

  get size(): number {
    return this.#machines.size
  }

  get attributes(): Attributes {
    this.#settle()
    this.#attributes ??= new Attributes(this.#ranked.map(({ machine }) => machine))
    return this.#attributes
  }

  /** Every machine. Not to be changed. */
  get all(): Bits {
    this.#settle()
    return this.#all
  }

  /** By rank: `shareOf` each ready machine, -1 for the others, and what it has left in bytes and nanoseconds. */
  get fullness(): {
    readonly shares: Float64Array
    readonly memoryLeft: Float64Array
    readonly cpusLeft: Float64Array
  } {
    this.#settle()
    return { shares: this.#shares, memoryLeft: this.#memoryLeft, cpusLeft: this.#cpusLeft }
  }

  at(rank: number): MachineState {
    this.#settle()
    return this.#ranked[rank] as MachineState
  }

  rankOf(state: MachineState): number {
    this.#settle()
    return state.rank
  }

  /** By rank; lost ones too. */
  get ranked(): readonly MachineState[] {
    this.#settle()
    return this.#ranked
  }

  /** The ready ones, the first to be tried at the front. */
  inOrder(): MachineState[] {
    const found: MachineState[] = []
    this.#settle().first(undefined, (rank) => {
      found.push(this.at(rank))
      return false
    })
    return found
  }

  /** The first ready one, of those in `among`, that `accept` takes. */
  first(
    among: Bits | undefined,
    accept: (state: MachineState) => boolean,
  ): MachineState | undefined {
    const order = this.#settle()
    const rank = order.first(among, (each) => accept(this.#ranked[each] as MachineState))
    return rank < 0 ? undefined : this.#ranked[rank]
  }

  /** How many of `among` are ready. */
  readyCount(among?: Bits): number {
    return this.#settle().count(among)
  }

  /** The ranks of the machines that have changed since `then`, in their order; undefined: it may be any. */
  touchedSince(then: number): readonly number[] | undefined {
    const now = this.now
    if (then < this.#touchedFrom) return undefined
    if (then === now) return []
    return [...new Set(this.#touched.slice(then - this.#touchedFrom))].toSorted((a, b) => a - b)
  }

  /** Before `state` changes. */
  leave(state: MachineState): void {
    if (this.#order === undefined || state.machine.status !== 'ready') return
    this.#order.delete(state.rank, state.units.size)
  }

  /** After `state` has changed. */
  enter(state: MachineState): void {
    if (this.#order === undefined) return
    if (state.machine.status === 'ready') this.#order.add(state.rank, state.units.size)
    this.#measure(state)
    if (this.#touched.length >= this.#ranked.length * rememberedPerMachine) this.forgetLooks()
    this.#touched.push(state.rank)
  }

  attributesChanged(before: SchedulerMachine, after: SchedulerMachine): void {
    if (before.metadata !== after.metadata) this.#attributes = undefined
  }

  /** Machines have come or gone. */
  forgetRanks(): void {
    this.#order = undefined
    this.#attributes = undefined
  }

  /** Whoever looked must look at all again. */
  forgetLooks(): void {
    this.#touchedFrom += this.#touched.length + 1
    this.#touched = []
  }

  #measure(state: MachineState): void {
    const { rank, room, machine } = state
    this.#shares[rank] = machine.status === 'ready' ? shareOf(state) : -1
    this.#memoryLeft[rank] = machine.capacity.memoryBytes - room.memoryBytes
    this.#cpusLeft[rank] = machine.capacity.nanoCpus - room.nanoCpus
  }

  #settle(): LoadOrder {
    if (this.#order !== undefined) return this.#order
    const { size } = this.#machines
    const order = new LoadOrder(size)
    this.#all = new Bits(size)
    this.#shares = new Float64Array(size)
    this.#memoryLeft = new Float64Array(size)
    this.#cpusLeft = new Float64Array(size)
    this.#ranked = [...this.#machines.values()].toSorted((a, b) =>
      a.machine.id < b.machine.id ? -1 : 1,
    )
    for (const [rank, state] of this.#ranked.entries()) {
      state.rank = rank
      this.#all.add(rank)
      this.#measure(state)
      if (state.machine.status === 'ready') order.add(rank, state.units.size)
    }
    this.#order = order
    this.forgetLooks()
    return order
  }
}
