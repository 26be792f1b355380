/** What every fault needs: the world, the seed, and a way to end again. */
import type { SeededRandom } from '../../../src/base/random.ts'
import type { SimulatedMachine } from '../machine.ts'
import type { MemberLosses } from '../member-losses.ts'
import type { World } from '../world.ts'

export const secondMs = 1000

export class FaultTools {
  readonly world: World
  readonly random: SeededRandom
  readonly losses: MemberLosses
  /** Everything was healed: what would end a fault need not. */
  isStopped = false

  constructor(world: World, random: SeededRandom, losses: MemberLosses) {
    this.world = world
    this.random = random
    this.losses = losses
  }

  tell(machine: SimulatedMachine, what: string): void {
    this.world.timeline.note(machine.name, `FAULT ${what}`)
  }

  tellOfNetwork(what: string): void {
    this.world.timeline.note('network', what)
  }

  /** Calls `end` within `msMax`, sooner rather than later, unless everything was healed before. */
  later(msMax: number, end: () => void): void {
    this.world.time.after(50 + this.random.fraction() ** 2 * msMax, () => {
      if (!this.isStopped) end()
    })
  }
}
