/** Machines that drain. */
import type { MachineState } from './machine-state.ts'

export class Drains {
  readonly #all = new Set<MachineState>()
  /** Ready, and their time is up. */
  readonly hurried = new Set<MachineState>()

  get areAny(): boolean {
    return this.#all.size > 0
  }

  /** Puts a machine among those that it belongs to now. */
  sort(state: MachineState): void {
    const { status, drain } = state.machine
    this.forget(state)
    if (drain !== 'none') this.#all.add(state)
    if (status === 'ready' && drain === 'now') this.hurried.add(state)
  }

  forget(state: MachineState): void {
    this.#all.delete(state)
    this.hurried.delete(state)
  }
}
