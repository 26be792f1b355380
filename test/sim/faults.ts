/** What goes wrong, by the seed, one fault after another; each is counted when it begins. */
import type { SeededRandom } from '../../src/base/random.ts'
import { type FaultKind, faultKinds, faults } from './faults/kinds.ts'
import { FaultTools } from './faults/tools.ts'
import { MemberLosses } from './member-losses.ts'
import type { World } from './world.ts'

/** A seed has some of them, so that some meet that otherwise drown in others. */
const kindsPerSeed = { min: 4, max: faultKinds.length }
/** Time from one fault to the next. */
const calmMsMax = 2500

export class Faults {
  readonly counts = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<
    FaultKind,
    number
  >
  readonly #world: World
  readonly #random: SeededRandom
  readonly #kinds: readonly FaultKind[]
  readonly #tools: FaultTools

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork()
    this.#tools = new FaultTools(world, this.#random, new MemberLosses(world))
    const count = this.#random.integer(kindsPerSeed.min, kindsPerSeed.max)
    this.#kinds = this.#random.shuffle(faultKinds).slice(0, count)
  }

  start(): void {
    this.#world.timeline.note('faults', `of this seed: ${this.#kinds.join(', ')}`)
    this.#next()
  }

  /** Nothing new goes wrong, and what is wrong is put right. */
  healAll(): void {
    const { machines, network, timeline } = this.#world
    this.#tools.isStopped = true
    timeline.note('faults', 'everything is healed')
    network.healAll()
    for (const machine of machines) {
      machine.disk.faults.stalledSync = 0
      machine.disk.faults.failedSync = 0
      machine.disk.capacityBytes = Infinity
      machine.setClockRate(machine.spec.clockRate)
      machine.thaw()
      machine.engine.restart()
      if (!machine.hasPower) machine.gainPower()
      machine.startIfStopped()
    }
  }

  #next(): void {
    this.#world.time.after(this.#random.fraction() * calmMsMax, () => {
      if (this.#tools.isStopped) return
      const kind = this.#random.pick(this.#kinds)
      const machine = this.#random.pick(this.#world.machines)
      if (faults[kind](this.#tools, machine)) this.counts[kind] += 1
      this.#next()
    })
  }
}
