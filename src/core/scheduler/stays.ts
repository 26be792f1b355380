/** Who is there to stay, while a plan is made, and who is to leave in which way. */
import type { MachineId } from '../../base/ids.ts'
import type { FleetState } from './fleet-state.ts'
import type { SchedulerUnit } from './types.ts'

export class Stays {
  readonly #state: FleetState
  /** By `machine/unit`: whether it runs there, where somebody has asked. */
  readonly #runs: ReadonlyMap<string, boolean>

  constructor(state: FleetState, runs: ReadonlyMap<string, boolean>) {
    this.#state = state
    this.#runs = runs
  }

  /** Where none is there to stay: what runs, of those that may wait for a replacement. */
  bestOfClosed(unit: SchedulerUnit, places: readonly MachineId[]): MachineId | undefined {
    const ready = places.filter((id) => this.statusOf(id) === 'ready')
    const waiting = ready.filter((id) => this.leaveOf(unit, id) !== 'now')
    return waiting.find((id) => this.doesRun(unit, id)) ?? waiting[0] ?? ready[0] ?? places[0]
  }

  doesRun(unit: SchedulerUnit, machine: MachineId): boolean {
    return this.#runs.get(`${machine}/${unit.name}`) === true
  }

  /** The place that it is to leave, for as long as it does not run at `lasting`. */
  replacedBy(
    unit: SchedulerUnit,
    lasting: MachineId,
    places: readonly MachineId[],
  ): MachineId | undefined {
    if (this.doesRun(unit, lasting)) return undefined
    return places.find((id) => this.leaveOf(unit, id) === 'replacing')
  }

  /** Whether it is to leave a ready machine: because that drains, or because it moves itself. */
  leaveOf(unit: SchedulerUnit, id: MachineId): 'none' | 'replacing' | 'now' {
    const machine = this.#state.machines.get(id)?.machine
    if (machine?.status !== 'ready') return 'none'
    const moves = machine.drain === 'none' && this.#state.movers.has(unit.name, id)
    return moves ? 'replacing' : machine.drain
  }

  whyGoes(unit: SchedulerUnit, id: MachineId): 'drained' | 'moved' | 'duplicate' {
    if (this.#state.movers.has(unit.name, id)) return 'moved'
    return this.leaveOf(unit, id) === 'none' ? 'duplicate' : 'drained'
  }

  /** It is there to stay. */
  isOpen(unit: SchedulerUnit, id: MachineId): boolean {
    return this.statusOf(id) === 'ready' && this.leaveOf(unit, id) === 'none'
  }

  statusOf(id: MachineId): 'ready' | 'lost' | undefined {
    return this.#state.machines.get(id)?.machine.status
  }
}
