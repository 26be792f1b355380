/**
 * Which members may be lost for good. A cluster survives the loss of a minority, and of another
 * once the first is replaced; the simulation never takes more.
 */
import type { MemberId } from '../../src/base/ids.ts'
import type { SimulatedMachine } from './machine.ts'
import type { World } from './world.ts'

export class MemberLosses {
  readonly #world: World
  readonly #lost = new Set<MemberId>()
  /** The member that each machine was last seen to run: its process may be gone. */
  readonly #last = new Map<SimulatedMachine, MemberId>()

  constructor(world: World) {
    this.#world = world
  }

  /** Whether the cluster as it is now can do without this machine's member. */
  maySpare(machine: SimulatedMachine): boolean {
    this.#look()
    const leader = this.#world.leader
    if (leader === undefined || !machine.hasPower) return false
    // Whoever becomes a member there meanwhile would be lost too.
    if (this.#isDiskFailing) return false
    const { voters, outgoing } = leader.member.member.status().config
    if (outgoing.length > 0 || voters.length < 3) return false
    if (voters.some((id) => this.#lost.has(id))) return false
    // A voter that nobody is known to run may be lost already.
    const last = new Set(this.#last.values())
    return voters.every((id) => last.has(id))
  }

  /** This machine's member is about to be lost, or may be. */
  note(machine: SimulatedMachine): void {
    const id = this.#last.get(machine)
    if (id !== undefined) this.#lost.add(id)
  }

  #look(): void {
    for (const machine of this.#world.machines) {
      const id = machine.process?.core?.memberId
      if (id === undefined || id === 0) continue
      this.#last.set(machine, id)
    }
    for (const id of this.#lost) {
      // At work, that is: one whose log is still being read may turn out to have lost it.
      const isBack = this.#world.machineOf(id)?.process?.core?.member !== undefined
      if (isBack && !this.#isDiskFailing) this.#lost.delete(id)
    }
  }

  get #isDiskFailing(): boolean {
    return this.#world.machines.some(
      ({ disk }) => disk.faults.failedSync > 0 || disk.capacityBytes < Infinity,
    )
  }
}
